"""How the ESPs behave during a run: a new weather for each of them every few seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chaos.faults import Dice, Fault, Tally
from chaos.gate import Gate
from local.sandbox_client import SandboxClient

PROVIDERS = ("sendgrid", "ses", "postmark")

LATENCY_MS = 60
HANG_S = 6
"""Longer than the read time-out of the run's providers."""

FAIR: dict[str, Any] = {
    "latency_ms": LATENCY_MS,
    "latency_spread_ms": LATENCY_MS,
    "error_rate": 0,
    "timeout_rate": 0,
    "accept_then_drop_rate": 0,
    "reject_rate": 0,
    "invalid_rate": 0,
    "rate_limit_per_second": None,
    "hang_s": HANG_S,
}
_SKIES: tuple[tuple[str, float, dict[str, Any]], ...] = (
    ("fair", 0.22, {}),
    ("errors", 0.16, {"error_rate": 0.3}),
    ("hanging", 0.13, {"timeout_rate": 0.2}),
    ("dropping", 0.20, {"accept_then_drop_rate": 0.3}),
    ("limiting", 0.13, {"rate_limit_per_second": 5}),
    ("slow", 0.06, {"latency_ms": 900}),
    ("refusing", 0.10, {}),
)
_ALWAYS = {"reject_rate": 0.004, "invalid_rate": 0.004}

_WEBHOOK_TRIES = 100
"""Real ESPs report an event for a day and longer: in a run none is to be lost for good."""

CALM: dict[str, Any] = {
    "defaults": {"event_delay_ms": 300, "event_spread_ms": 1500, "duplicate_event_rate": 0.02},
}


class Weather:
    """Changes how the sandbox and the gates before it behave."""

    def __init__(
        self, sandbox: SandboxClient, gates: Mapping[str, Gate], dice: Dice, tally: Tally
    ) -> None:
        self._sandbox = sandbox
        self._gates = gates
        self._dice = dice
        self._tally = tally

    def turn(self) -> Mapping[str, str]:
        """Draws each provider's next weather; gives their names."""
        skies = {name: self._draw(name) for name in PROVIDERS}
        if all(name == "refusing" for name, _ in skies.values()):
            skies["ses"] = ("fair", {})
        patch = {}
        for provider, (sky, changes) in skies.items():
            patch[provider] = FAIR | _ALWAYS | changes
            self._set_gate(provider, refusing=sky == "refusing")
        self._sandbox.behave({"providers": patch})
        return {provider: sky for provider, (sky, _) in skies.items()}

    def clear_up(self) -> None:
        """Fair weather for all."""
        for provider in PROVIDERS:
            self._set_gate(provider, refusing=False)
        settings = FAIR | {"webhook": {"max_tries": _WEBHOOK_TRIES}}
        self._sandbox.behave(CALM | {"providers": dict.fromkeys(PROVIDERS, settings)})

    def _draw(self, provider: str) -> tuple[str, dict[str, Any]]:
        luck = self._dice.roll(f"weather {provider}")
        for name, share, changes in _SKIES:
            if luck < share:
                return name, changes
            luck -= share
        return "fair", {}

    def _set_gate(self, provider: str, *, refusing: bool) -> None:
        gate = self._gates.get(provider)
        if gate is None:
            return
        if refusing:
            gate.shut()
            self._tally.add(Fault.REFUSED, provider)
        else:
            gate.open()
