"""Settings of retention are read once in five minutes, and bounded."""

from __future__ import annotations

import pytest

from shared.errors import InvalidInput
from shared.retention import BOUNDS, CachedRetention, Retention, RetentionService
from tests.fakes import FakeClock, FakeRetention


def test_many_calls_are_one_read_until_it_is_old() -> None:
    clock, store = FakeClock(), FakeRetention()
    cached = CachedRetention(store, clock)
    assert {cached.of("ws_a") for _ in range(100)} == {Retention()}
    assert store.reads == 1
    RetentionService(store).put("ws_a", Retention(event_days=60))
    assert cached.of("ws_a").event_days == 400
    clock.advance(minutes=5)
    assert cached.of("ws_a").event_days == 60
    assert cached.of("ws_b").event_days == 400


def test_the_cache_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.retention._MOST_KNOWN", 2)
    store = FakeRetention()
    cached = CachedRetention(store, FakeClock())
    for workspace in ("ws_a", "ws_b", "ws_c", "ws_c"):
        cached.of(workspace)
    assert store.reads == 3


@pytest.mark.parametrize("name", BOUNDS)
def test_each_is_bounded(name: str) -> None:
    service = RetentionService(FakeRetention())
    least, most = BOUNDS[name]
    for days in (least, most):
        service.put("ws_a", Retention(**{name: days}))
    for days in (least - 1, most + 1, 0, -1):
        with pytest.raises(InvalidInput) as refused:
            service.put("ws_a", Retention(**{name: days}))
        assert refused.value.problems[0].field == name


def test_the_defaults_are_within_the_bounds() -> None:
    RetentionService(FakeRetention()).put("ws_a", Retention())
