"""What an event means for the person: the aggregator's suppressions."""

from __future__ import annotations

from collections.abc import Collection

from shared.analytics.model import Engagement
from shared.audience.consent import ConsentService
from shared.audience.model import SuppressionReason
from shared.audience.ports import SuppressionStore


class Consequences:
    """Suppresses who hard bounced or complained, unsubscribes who said so at the ESP.

    Doing it again for the same event changes nothing.
    """

    def __init__(self, consent: ConsentService) -> None:
        self._consent = consent

    def hard_bounced(self, engagement: Engagement) -> None:
        """The address does not exist."""
        self._suppress(engagement, SuppressionReason.HARD_BOUNCE)

    def complained(self, engagement: Engagement) -> None:
        """The person called it spam."""
        self._suppress(engagement, SuppressionReason.COMPLAINT)

    def unsubscribed(self, engagement: Engagement) -> None:
        """The person unsubscribed at the ESP, which knows no lists of ours: from everything."""
        self._consent.unsubscribe(
            engagement.ref.workspace, engagement.subscriber, None, source=_source(engagement)
        )

    def _suppress(self, engagement: Engagement, reason: SuppressionReason) -> None:
        self._consent.suppress(
            engagement.ref.workspace, engagement.subscriber, reason, source=_source(engagement)
        )


class Erased:
    """Who has been erased (`ErasedPeople`), as the suppression list says."""

    def __init__(self, suppressions: SuppressionStore) -> None:
        self._suppressions = suppressions

    def among(self, workspace: str, subscribers: Collection[str]) -> set[str]:
        """As the port says; who was erased within the last second may lack."""
        entries = self._suppressions.get_many(workspace, sorted(subscribers), consistent=False)
        return {one for one, entry in entries.items() if entry.reason is SuppressionReason.ERASURE}


def _source(engagement: Engagement) -> str:
    return f"webhook:{engagement.event.provider}"
