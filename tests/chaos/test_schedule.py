"""What is dealt out: seeded, counted, and only while it is on."""

from __future__ import annotations

from collections import Counter

from chaos.exposure import Exposure
from chaos.faults import Dice, Fault, Tally
from chaos.interference import Call, Interference, Rates
from chaos.sizes import FULL, KINDS

GET = Call("dispatcher", "DynamoDB", "GetItem")
PUT = Call("dispatcher", "DynamoDB", "PutItem")
SEND = Call("scheduler", "AmazonSQS", "SendMessageBatch")
PLAN = Call("jobs", "DynamoDB", "PutItem")
QUIET = dict.fromkeys(("dispatcher", "jobs"), Rates(0, 0, 0, 0))


def dealt(seed: int, calls: list[Call], rates: dict[str, Rates] | None = None) -> list[str | None]:
    tally = Tally()
    interference = (
        Interference(Dice(seed), tally, rates) if rates else (Interference(Dice(seed), tally))
    )
    interference.on = True
    found = [interference.decide(call) for call in calls]
    assert tally.total() == sum(one is not None for one in found)
    return [one.value if one else None for one in found]


def test_the_same_seed_deals_the_same_faults() -> None:
    calls = [PUT, GET, SEND] * 200
    assert dealt(7, calls) == dealt(7, calls) != dealt(8, calls)


def test_what_befalls_one_kind_of_call_does_not_depend_on_the_others() -> None:
    alone = dealt(7, [PUT] * 100)
    mixed = dealt(7, [PUT, SEND, GET] * 100)[::3]
    assert alone == mixed


def test_nothing_happens_before_it_is_on() -> None:
    tally = Tally()
    interference = Interference(Dice(7), tally)
    assert [interference.decide(PUT) for _ in range(200)] == [None] * 200
    assert tally.counts() == {}


def test_every_kind_of_fault_is_dealt() -> None:
    found = set(dealt(7, [PUT, SEND] * 1000))
    assert found >= {
        Fault.THROTTLED,
        Fault.APPLIED_BUT_ERROR,
        Fault.APPLIED_BUT_CUT,
        Fault.KILLED_BEFORE_CALL,
        Fault.KILLED_AFTER_CALL,
        Fault.TWICE,
        Fault.LATE,
        Fault.LOST,
    }


def test_a_read_is_never_said_to_be_applied() -> None:
    found = set(dealt(7, [GET] * 1000))
    assert not found & {Fault.APPLIED_BUT_ERROR, Fault.APPLIED_BUT_CUT}
    assert Fault.THROTTLED in found


def test_some_faults_outlast_the_retries_of_the_client() -> None:
    rates = {"dispatcher": Rates(throttled=0.02, applied_but_error=0, applied_but_cut=0, killed=0)}
    told = "".join("x" if one else "." for one in dealt(7, [PUT] * 2000, rates))
    assert "xxxxx" in told
    assert ".x." in told


def test_the_plan_job_dies_at_every_step_once() -> None:
    tally = Tally()
    interference = Interference(Dice(7), tally, QUIET)
    interference.on = True
    interference.kill_at_every_step(3)
    killed = [bool(interference.decide(PLAN)) for _ in range(10)]
    # At its first call; restarted, at its second; restarted, at its third; then it may live.
    assert [i for i, dead in enumerate(killed) if dead] == [0, 2, 5]
    assert Counter(fault for fault, _ in tally.counts()).total() == 2


def test_exposure_is_of_the_chunk_in_hand() -> None:
    exposure = Exposure()
    body = b'{"Key":{"pk":{"S":"ws#ws_0a#cmp_0b#3"},"sk":{"S":"C#0000000011#A#0001"}}}'
    exposure.saw(1, body)
    exposure.saw(2, body.replace(b"cmp_0b", b"cmp_0c"))
    exposure.fault(3)
    assert exposure.exposed({1, 2}) == set()
    exposure.fault(1)
    assert exposure.exposed({1, 2}) == {("cmp_0b", 11)}
    assert exposure.exposed({1}) == {("cmp_0b", 11), ("cmp_0c", 11)}  # the other died with it
    exposure.fault(None)
    assert exposure.exposed({1, 2}) == {("cmp_0b", 11), ("cmp_0c", 11)}


def test_a_run_with_too_little_says_what_it_lacks() -> None:
    enough = dict.fromkeys(((kind, "x") for kind in KINDS), 600)
    assert FULL.lacking(enough) == []
    few = {("esp_hang", "ses"): 10, ("message_twice", "api"): 500}
    total, esps, kinds = FULL.lacking(few)
    assert total == "510 faults, fewer than 600"
    assert esps == "10 faults at the ESPs, fewer than 50"
    assert "worker_killed," in kinds
    assert "esp_hang" not in kinds
