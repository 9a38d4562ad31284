"""Settings and kill switches: DynamoDB and the fakes behave alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time

import pytest

from shared.delivery.ports import SettingsStore, SwitchStore
from shared.delivery.schedule import QuietHours
from shared.delivery.workspace import FrequencyCap, Switch, WorkspaceSettings
from shared.errors import StaleWrite
from shared.mail import MessageKind
from shared.storage.settings import DynamoSettings, SettingsItem
from shared.storage.switches import DynamoSwitches
from tests.fakes import FakeSettings, FakeSwitches

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)


@pytest.fixture(params=["fake", "dynamo"])
def settings(request: pytest.FixtureRequest) -> SettingsStore:
    if request.param == "fake":
        return FakeSettings()
    request.getfixturevalue("dynamo")
    return DynamoSettings()


@pytest.fixture(params=["fake", "dynamo"])
def switches(request: pytest.FixtureRequest) -> SwitchStore:
    if request.param == "fake":
        return FakeSwitches()
    request.getfixturevalue("dynamo")
    return DynamoSwitches()


def test_a_workspace_that_set_nothing_has_the_defaults(settings: SettingsStore) -> None:
    assert settings.get("ws_a") == WorkspaceSettings()


def test_settings_come_back_and_are_written_under_their_version(settings: SettingsStore) -> None:
    wanted = WorkspaceSettings("Europe/Berlin", QuietHours(time(21), time(8)), 100, 0.03, 0.0005, 9)
    first = settings.save("ws_a", wanted)
    second = settings.save("ws_a", replace(first, quiet_hours=None))
    assert (first.version, second.version) == (1, 2)
    assert settings.get("ws_a") == second
    assert settings.get("ws_b") == WorkspaceSettings()
    for stale in (wanted, first):
        with pytest.raises(StaleWrite):
            settings.save("ws_a", stale)


def test_frequency_caps_come_back(settings: SettingsStore) -> None:
    caps = tuple(FrequencyCap(kind, 3, 7) for kind in MessageKind)
    saved = settings.save("ws_a", WorkspaceSettings(frequency_cap=caps))
    assert settings.get("ws_a") == saved
    assert saved.frequency_cap == caps


@pytest.mark.usefixtures("dynamo")
def test_settings_of_an_earlier_release_have_no_cap() -> None:
    doc = (
        '{"time_zone":"UTC","quiet_hours":null,"confirm_above":5,"max_hard_bounce_rate":0.04,'
        '"max_complaint_rate":0.0008,"brake_after":500}'
    )
    SettingsItem("ws#ws_a", "settings", doc=doc, version=3).put()
    assert DynamoSettings().get("ws_a") == WorkspaceSettings(confirm_above=5, version=3)


def test_switches_are_on_until_they_are_turned(switches: SwitchStore) -> None:
    assert switches.get(("", "ws_a")) == {"": Switch(), "ws_a": Switch()}
    off = Switch(enabled=False, reason="why", by="operator", at=NOW)
    switches.put("", off)
    assert switches.get(("", "ws_a")) == {"": off, "ws_a": Switch()}
    on = Switch(enabled=True, by="api:key_a", at=NOW)
    switches.put("", on)
    switches.put("ws_a", off)
    assert switches.get(("", "ws_a")) == {"": on, "ws_a": off}
