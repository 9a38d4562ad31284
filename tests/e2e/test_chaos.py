"""The small chaos run: everything breaks for a while, and every promise is kept.

It has a cloud of its own: its functions are wired to proxies, and it may not
disturb the other tests.
"""

import pytest

from chaos.__main__ import perform
from chaos.sizes import SMALL
from local.place import ROOT, Place
from local.steps import Steps

pytestmark = pytest.mark.e2e

SEED = 5


def test_every_promise_is_kept() -> None:
    result = perform(Place(ROOT / ".local" / "chaos"), Steps(), SMALL, SEED)
    assert result.violations == []
    assert result.trouble == []
    assert SMALL.lacking(result.faults) == []
    kinds = {fault for fault, _ in result.faults}
    assert {"message_twice", "dynamodb_throttled", "worker_killed"} <= kinds
    assert set(result.evidence.states.values()) == {"sent"}
