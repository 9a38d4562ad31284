"""What is measured beside the ceiling really sends; how quickly is no matter of a test."""

from __future__ import annotations

from benchmarks import ceiling
from benchmarks.deployment import PROVIDERS


def test_every_provider_is_measured_by_turns_with_raw_sockets() -> None:
    figures = ceiling.run(turns=2, turn_s=0.5)
    assert [one.context["provider"] for one in figures] == list(PROVIDERS)
    for one in figures:
        assert one.name == "send.ceiling_share_50ms"
        assert one.at_least
        assert len(one.context["turns_per_s"]) == 2
        raw, ours = zip(*one.context["turns_per_s"], strict=True)
        assert max(ours) > 0
        assert max(raw) > 0
