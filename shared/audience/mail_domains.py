"""Which of many domains take no mail, asked at once and within a bounded time: for imports."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import Executor, Future, wait

from shared.audience.ports import MxLookup
from shared.errors import DependencyUnavailable

BUDGET_S = 20.0
"""For all domains of one call. Who has not answered by then is not known to take none."""


class MailDomains:
    """Asks DNS; `executor` says how many questions are under way at the same time."""

    def __init__(self, mx: MxLookup, executor: Executor) -> None:
        self._mx = mx
        self._executor = executor

    def dead(self, domains: Collection[str]) -> frozenset[str]:
        """Those that are known to take no mail; each is asked for once.

        Raises:
            ConfigurationError: there is no resolver.
        """
        asked = {self._executor.submit(self._mx.mx, domain): domain for domain in domains}
        done, late = wait(asked, timeout=BUDGET_S)
        for one in late:
            one.cancel()
        return frozenset(asked[one] for one in done if _takes_none(one))


def _takes_none(answer: Future[list[str]]) -> bool:
    try:
        return not answer.result()
    except DependencyUnavailable:
        return False  # nothing is known, and a person must not be refused for that
