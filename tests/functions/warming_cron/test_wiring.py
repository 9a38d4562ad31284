"""The warm-up's daily run over the real stores, on moto."""

from __future__ import annotations

import pytest

from functions.warming_cron.handler import handler
from functions.warming_cron.wiring import services
from shared.errors import ConfigurationError
from shared.storage.rates import DynamoRates
from tests.functions.running import Context, deployed, schedule_event

PROVIDERS = (
    {"name": "ses", "kind": "ses", "weight": 1, "warmup": True},
    {"name": "ses-old", "kind": "ses", "weight": 1},
)


def test_the_quota_reaches_the_token_item(monkeypatch: pytest.MonkeyPatch) -> None:
    with deployed(monkeypatch, providers=PROVIDERS):
        DynamoRates().set_quota("ses-old", 9)
        assert handler(schedule_event(), Context(60)) == {"ses": "started"}
        assert handler(schedule_event(), Context(60)) == {"ses": "checked already"}
        assert DynamoRates().load("ses").quota == 50
        assert DynamoRates().load("ses-old").quota is None


def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with deployed(monkeypatch, providers=PROVIDERS):
        monkeypatch.delenv("TIDEPOST_TABLE_PREFIX")
        with pytest.raises(ConfigurationError, match="TIDEPOST_TABLE_PREFIX"):
            services()
