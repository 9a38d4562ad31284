"""How the pretended ESPs and mailboxes behave during the demo."""

from __future__ import annotations

from typing import Any

BEHAVIOUR: dict[str, Any] = {
    "seed": 7,
    "defaults": {
        "latency_ms": 30,
        "latency_spread_ms": 60,
        "reject_rate": 0.002,
        "hard_bounce_rate": 0.008,
        "soft_bounce_rate": 0.004,
        "defer_rate": 0.01,
        "machine_open_rate": 0.12,
        "open_rate": 0.32,
        "click_rate": 0.05,
        "unsubscribe_rate": 0.002,
        "complaint_rate": 0.0006,
        "event_delay_ms": 500,
        "event_spread_ms": 3000,
        "duplicate_event_rate": 0.01,
    },
    "domains": {
        "web.de": {"defer_rate": 0.15, "event_delay_ms": 1500, "event_spread_ms": 4000},
        "smallshop.example": {"hard_bounce_rate": 0.05},
    },
}
"""A behaviour document; what a domain says is laid over the defaults."""
