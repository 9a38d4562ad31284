"""Settling one doubt by hand: an operator knows what no event has told."""

from __future__ import annotations

from shared.delivery.finding import find_message
from shared.delivery.model import ChunkOutcome
from shared.delivery.outcomes import Change, changed
from shared.delivery.ports import LedgerStore
from shared.delivery.states import RecipientState
from shared.errors import StaleWrite, WrongState
from shared.ids import MessageIds

BY_HAND = "settled_by_hand"

_TRIES = 5


class HandSettler:
    """Settles what is in doubt, and nothing else. The caller writes the audit log."""

    def __init__(self, ledger: LedgerStore, message_ids: MessageIds) -> None:
        self._ledger = ledger
        self._message_ids = message_ids

    def settle(self, workspace: str, message_id: str, state: RecipientState) -> ChunkOutcome:
        """Makes the message `state`, accepted or failed, with the reason `settled_by_hand`.

        Raises:
            NotFound: no message of this workspace has that id.
            WrongState: the message is not in doubt.
            StaleWrite: others wrote its chunk five times in a row.
        """
        for _ in range(_TRIES):
            ref, record = find_message(self._ledger, self._message_ids, workspace, message_id)
            outcome = record.outcome
            now = outcome.state_of(ref.index) if outcome else RecipientState.PENDING
            if outcome is None or now is not RecipientState.IN_DOUBT:
                raise WrongState(
                    f"the message is {now.word}; only one that is in doubt can be settled by hand"
                )
            settled = changed(outcome, [Change(ref.index, state, BY_HAND)], record.attempts)
            try:
                return self._ledger.save_outcome(settled)
            except StaleWrite:
                continue
        raise StaleWrite("the message's chunk is being written by others; try again")
