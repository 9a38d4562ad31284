"""What an import's file may be, and one row of it before its values are looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from shared.audience.model import ListState, SuppressionReason
from shared.errors import FieldProblem, InvalidInput

MAX_ROWS = 2_000_000


class FileFormat(StrEnum):
    """What an import's file may be; CSV and NDJSON may be packed with gzip."""

    CSV = "text/csv"
    JSON = "application/json"
    """An array. It cannot be read row by row, so it is taken through the API alone."""
    NDJSON = "application/x-ndjson"

    @classmethod
    def of(cls, content_type: str) -> FileFormat:
        """By the `Content-Type` header.

        Raises:
            InvalidInput: it is none of them, or names another encoding than UTF-8.
        """
        media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
        encoding = dict(p.partition("=")[::2] for p in parameters).get("charset", "utf-8")
        if encoding.strip('"') not in {"utf-8", "utf8", "us-ascii"}:
            raise InvalidInput(FieldProblem("content-type", "names an encoding other than UTF-8"))
        try:
            return cls(media_type)
        except ValueError as error:
            known = ", ".join(cls)
            raise InvalidInput(FieldProblem("content-type", f"must be one of {known}")) from error


class Product(StrEnum):
    """Whose file it is, which says what its columns mean."""

    PLAIN = "plain"
    """Anybody's: columns by their names, or by a mapping."""
    TIDEPOST = "tidepost"
    """Our own export: JSON lines, or CSV in raw mode."""
    MAILCHIMP = "mailchimp"
    LISTMONK = "listmonk"
    PINPOINT = "pinpoint"


@dataclass(frozen=True, slots=True)
class Row:
    """One row as read, its values not yet looked at. `number` counts as in `RowRejection`.

    None means that the row says nothing about a field. `state` is what the row
    says of the lists that the import names, None that she joins none of them.
    `lists` are further ones, by id. `suppressed` is why she must not be mailed.
    """

    number: int
    email: object
    attributes: object = None
    tags: object = None
    locale: object = None
    time_zone: object = None
    state: ListState | None = ListState.SUBSCRIBED
    lists: Mapping[str, object] = field(default_factory=dict)
    suppressed: SuppressionReason | None = None


def unreadable(reason: str) -> InvalidInput:
    """The file as a whole cannot be taken."""
    return InvalidInput(FieldProblem("body", reason))
