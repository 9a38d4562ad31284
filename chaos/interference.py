"""What befalls an AWS call of a function: drawn when the call comes by."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from chaos.faults import FUNCTIONS, Dice, Fault, Tally

_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})
_SENDS = frozenset({"SendMessage", "SendMessageBatch"})
_LONG = 5
"""Calls in a row that fail where a fault is to outlast the clients' own retries (four tries)."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Probabilities per DynamoDB call of one function. A read is not applied, only throttled."""

    throttled: float = 0.03
    applied_but_error: float = 0.05
    applied_but_cut: float = 0.05
    killed: float = 0.02
    long: float = 0.25
    """Share of the faults at DynamoDB that outlast the client's retries."""


DEFAULT: Mapping[str, Rates] = {
    "dispatcher": Rates(killed=0.008),
    "jobs": Rates(throttled=0.01, applied_but_error=0.03, applied_but_cut=0.03, killed=0),
    "scheduler": Rates(throttled=0.01, killed=0.005),
    "webhooks": Rates(throttled=0.05, applied_but_error=0.05, applied_but_cut=0.05, killed=0.01),
    "aggregator": Rates(throttled=0.05, applied_but_error=0.05, applied_but_cut=0.05, killed=0.01),
}
QUEUED: tuple[tuple[Fault, float], ...] = (
    (Fault.TWICE, 0.15),
    (Fault.LATE, 0.15),
    (Fault.LOST, 0.04),
)
"""What befalls a message that is sent to a queue. Kills of the jobs function come by steps."""


@dataclass(frozen=True, slots=True)
class Call:
    """One AWS call. `service` and `operation` as in `X-Amz-Target`."""

    function: str
    service: str
    operation: str


class Interference:
    """Decides about calls while it is on. Thread-safe."""

    def __init__(self, dice: Dice, tally: Tally, rates: Mapping[str, Rates] = DEFAULT) -> None:
        self.on = False
        self._dice = dice
        self._tally = tally
        self._rates = rates
        self._lock = threading.Lock()
        self._streaks: dict[tuple[str, str], tuple[Fault, int]] = {}
        self._step = self._last_step = 0
        self._since = 0

    def kill_at_every_step(self, steps: int) -> None:
        """From now on the jobs function dies at its 1st call, once restarted at its 2nd, ..."""
        with self._lock:
            self._step, self._last_step, self._since = 1, steps, 0

    def decide(self, call: Call) -> Fault | None:
        """The call's fault, counted, or none."""
        fault = self._decide(call) if self.on else None
        if fault is not None:
            self._tally.add(fault, call.function)
        return fault

    def _decide(self, call: Call) -> Fault | None:
        if call.function == "jobs" and call.service in {"DynamoDB", "AmazonSQS"}:
            fault = self._at_step()
            if fault is not None:
                return fault
        if call.service == "AmazonSQS" and call.operation in _SENDS:
            return self._draw(f"queue {call.function}", QUEUED)
        if call.service == "DynamoDB" and call.function in FUNCTIONS:
            return self._at_table(call)
        return None

    def _at_step(self) -> Fault | None:
        with self._lock:
            if not 0 < self._step <= self._last_step:
                return None
            self._since += 1
            if self._since < self._step:
                return None
            before = self._step % 2 == 0
            self._step, self._since = self._step + 1, 0
        return Fault.KILLED_BEFORE_CALL if before else Fault.KILLED_AFTER_CALL

    def _at_table(self, call: Call) -> Fault | None:
        kind = (call.function, call.operation)
        with self._lock:
            fault, left = self._streaks.get(kind, (Fault.THROTTLED, 0))
            if left:
                self._streaks[kind] = (fault, left - 1)
                return fault
        rates = self._rates[call.function]
        choices = [(Fault.THROTTLED, rates.throttled)]
        if call.operation in _WRITES:
            choices += [
                (Fault.APPLIED_BUT_ERROR, rates.applied_but_error),
                (Fault.APPLIED_BUT_CUT, rates.applied_but_cut),
            ]
        choices += [
            (Fault.KILLED_BEFORE_CALL, rates.killed / 2),
            (Fault.KILLED_AFTER_CALL, rates.killed / 2),
        ]
        name = f"{call.function} {call.operation}"
        drawn = self._draw(name, choices)
        failing = {Fault.THROTTLED, Fault.APPLIED_BUT_ERROR, Fault.APPLIED_BUT_CUT}
        if drawn in failing and self._dice.roll(f"long {name}") < rates.long:
            with self._lock:
                self._streaks[kind] = (drawn, _LONG - 1)
        return drawn

    def _draw(
        self, name: str, choices: list[tuple[Fault, float]] | tuple[tuple[Fault, float], ...]
    ) -> Fault | None:
        luck = self._dice.roll(name)
        for fault, rate in choices:
            if luck < rate:
                return fault
            luck -= rate
        return None
