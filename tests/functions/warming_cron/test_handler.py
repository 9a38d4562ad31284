"""The warm-up's daily run over the fakes."""

from __future__ import annotations

import pytest
from aws_lambda_powertools import Metrics

from functions.warming_cron.handler import advance
from functions.warming_cron.wiring import Services
from shared.delivery.rates import Limits, take
from shared.warming.model import Schedule
from shared.warming.service import WarmingService
from tests import fakes
from tests.functions.running import Log, emf

SCHEDULE = Schedule("test", (50, 58))


class Season:
    """`ses` is warming, `postmark` is not."""

    def __init__(self) -> None:
        self.clock = fakes.FakeClock()
        self.rates = fakes.FakeRates()
        self.log = Log()
        self.services = Services(
            WarmingService(fakes.FakeWarmups(), self.rates, SCHEDULE, self.clock),
            ("ses",),
            ("postmark",),
            self.log.logger,
            Metrics(namespace="Tidepost", service="warming_cron"),
        )

    def mail(self) -> None:
        state, _ = take(self.rates.load("ses"), Limits(), 10, self.clock.now())
        self.rates.save("ses", state)


def test_each_day_with_mail_raises_the_quota_until_it_is_lifted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    season = Season()
    season.rates.set_quota("postmark", 7)
    decisions, quotas = [], []
    for _ in range(3):
        decisions.append(advance(season.services)["ses"])
        quotas.append(season.rates.load("ses").quota)
        season.mail()
        season.clock.advance(days=1)

    assert decisions == ["started", "advanced", "done"]
    assert quotas == [50, 58, None]
    assert season.rates.load("postmark").quota is None
    assert [line.get("quota") for line in season.log.lines] == [50, 58, None]
    assert emf(capsys.readouterr().out) == {"ses_warmup_day": 1 + 2 + 3}


def test_a_second_run_on_a_day_changes_nothing() -> None:
    season = Season()
    advance(season.services)
    before = dict(season.rates.states)
    assert advance(season.services) == {"ses": "checked already"}
    assert season.rates.states == before


def test_without_a_warming_provider_there_is_nothing_to_tell(
    capsys: pytest.CaptureFixture[str],
) -> None:
    season = Season()
    idle = Services(
        season.services.warming, (), ("ses",), season.log.logger, season.services.metrics
    )
    assert advance(idle) == {}
    assert season.log.lines == []
    assert capsys.readouterr().out == ""
