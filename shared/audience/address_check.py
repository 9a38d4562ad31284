"""Checks of addresses on demand, before anybody is added."""

from __future__ import annotations

from collections.abc import Sequence

from shared.audience.ports import MxLookup
from shared.audience.quality import AddressQuality, AddressReport
from shared.audience.settings import AudienceSettingsStore
from shared.errors import FieldProblem, InvalidInput

MAX_ADDRESSES = 100
MAX_WITH_DNS = 10
"""Each may take seconds, and the caller waits."""


class AddressService:
    """What can be said of addresses; nothing is stored."""

    def __init__(self, settings: AudienceSettingsStore, mx: MxLookup) -> None:
        self._settings = settings
        self._mx = mx

    def check(
        self, workspace: str, addresses: Sequence[str], *, ask_dns: bool
    ) -> list[AddressReport]:
        """One report each, in order. DNS is asked if `ask_dns`, whatever the settings say.

        Raises:
            InvalidInput: there are too many.
        """
        most = MAX_WITH_DNS if ask_dns else MAX_ADDRESSES
        if len(addresses) > most:
            raise InvalidInput(FieldProblem("addresses", f"are more than {most}"))
        settings = self._settings.get(workspace)
        quality = AddressQuality(settings, self._mx if ask_dns else None)
        return [quality.report(address, ask_dns=ask_dns) for address in addresses]
