"""Tokens of the links by which people join a list: the sign-up form's and the confirmation's.

An unsubscribe link's token is in `shared.ids`, since the send path makes one
per message. All are signed by the same keys, each for its own purpose.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from shared.ids import (
    ID_BYTES,
    LIST,
    SUBSCRIBER,
    WORKSPACE,
    LinkKeys,
    to_bytes,
    to_text,
)

_FORM, _CONFIRM = b"form\n", b"confirm\n"
_TIME = 5
"""Bytes of a time in whole seconds."""


@dataclass(frozen=True, slots=True)
class FormRef:
    """Which list a sign-up form is for."""

    workspace: str
    list_id: str


class FormTokens:
    """Tokens of sign-up forms. They name nobody and never expire: forms stand on websites."""

    _SIZE = 2 * ID_BYTES

    def __init__(self, keys: LinkKeys) -> None:
        self._keys = keys

    def make(self, ref: FormRef) -> str:
        """The token of one list."""
        return self._keys.signer(_FORM)(to_bytes(ref.workspace) + to_bytes(ref.list_id))

    def parse(self, token: str) -> FormRef:
        """Which list the token is for. Raises ForgedToken."""
        body = self._keys.open(_FORM, token, self._SIZE)
        return FormRef(to_text(WORKSPACE, body[:ID_BYTES]), to_text(LIST, body[ID_BYTES:]))


@dataclass(frozen=True, slots=True)
class ConfirmRef:
    """Who is to confirm which list, and when she was asked, in whole seconds."""

    workspace: str
    subscriber: str
    list_id: str
    asked_at: datetime


class ConfirmTokens:
    """Tokens of confirmation links. They say when they were made, so that they can expire."""

    _SIZE = 3 * ID_BYTES + _TIME

    def __init__(self, keys: LinkKeys) -> None:
        self._keys = keys

    def make(self, ref: ConfirmRef) -> str:
        """The token of one person and list."""
        ids = b"".join(map(to_bytes, (ref.workspace, ref.subscriber, ref.list_id)))
        asked_at = int(ref.asked_at.timestamp()).to_bytes(_TIME, "big")
        return self._keys.signer(_CONFIRM)(ids + asked_at)

    def parse(self, token: str) -> ConfirmRef:
        """Whom the token is for. Raises ForgedToken."""
        body = self._keys.open(_CONFIRM, token, self._SIZE)
        ids = [body[i : i + ID_BYTES] for i in range(0, 3 * ID_BYTES, ID_BYTES)]
        seconds = int.from_bytes(body[3 * ID_BYTES :], "big")
        return ConfirmRef(
            to_text(WORKSPACE, ids[0]),
            to_text(SUBSCRIBER, ids[1]),
            to_text(LIST, ids[2]),
            datetime.fromtimestamp(seconds, UTC),
        )
