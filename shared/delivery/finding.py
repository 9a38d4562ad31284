"""From the id of a message to its place in the ledger."""

from __future__ import annotations

from shared.delivery.model import ChunkKey, ChunkRecord
from shared.delivery.ports import LedgerStore
from shared.errors import ForgedToken, NotFound
from shared.ids import MessageIds, MessageRef


def find_message(
    ledger: LedgerStore, message_ids: MessageIds, workspace: str, message_id: str
) -> tuple[MessageRef, ChunkRecord]:
    """The message's recipient and the record of its chunk.

    Raises:
        NotFound: no message of this workspace has that id.
    """
    try:
        ref = message_ids.parse(message_id)
    except ForgedToken as error:
        raise NotFound("message", message_id) from error
    if ref.workspace != workspace:
        raise NotFound("message", message_id)
    record = ledger.record(ChunkKey(workspace, ref.campaign, ref.chunk))
    if ref.index >= len(record.plan.subscribers):
        raise NotFound("message", message_id)
    return ref, record
