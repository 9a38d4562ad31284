"""Consent records: what was agreed to or taken back, when, how, from where, to which words.

A record is written once and never changed. It names a subscriber id, which is
a keyed hash, and never an address. Erasure takes the person's device out of her
records (`ConsentLog.seal`): what is left proves to somebody who knows the
address what was agreed, and tells nobody else who it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from shared.audience.circumstances import Circumstances
from shared.audience.model import Subscriber
from shared.errors import InvalidInput
from shared.paging import BAD_CURSOR, Page, cut, resume

MAX_TEXT = 500
"""Characters of a user agent, and of what else a caller says of a consent."""


class ConsentChange(StrEnum):
    """What a record is about."""

    PENDING = "pending"
    """Asked for, and yet to be confirmed by herself."""
    LAPSED = "lapsed"
    """Asked for, and not confirmed in time (`shared.audience.unconfirmed`)."""
    SUBSCRIBED = "subscribed"
    CONFIRMED = "confirmed"
    """By herself, after `pending`."""
    UNSUBSCRIBED = "unsubscribed"
    IMPORTED = "imported"
    SUPPRESSED = "suppressed"
    """She, or somebody for her, wants no mail at all; `detail` has the reason."""
    UNSUPPRESSED = "unsuppressed"
    READDRESSED = "readdressed"
    """Another address, which takes her consent along; `detail` has the id she had before."""
    RETURNED = "returned"
    """She was erased, and has agreed anew."""
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """One change of consent. `subject` is a subscriber id or, of an import, its job's.

    An import has one record for all whom it added; each names the job in
    `imported_by` or `first_import`. `lists` are those it is about, none for
    everything.
    """

    workspace: str
    subject: str
    at: datetime
    change: ConsentChange
    circumstances: Circumstances
    lists: tuple[str, ...] = ()
    detail: str = ""


class ConsentLog(Protocol):
    """Keeps consent records, for good."""

    def append(self, record: ConsentRecord) -> None:
        """Adds a record; the very same once more changes nothing."""
        ...

    def of(
        self, workspace: str, subject: str, *, after: str | None = None
    ) -> Iterator[tuple[str, ConsentRecord]]:
        """A subject's records with their places, oldest first, behind the place `after`."""
        ...

    def seal(self, place: str, record: ConsentRecord, *, until: datetime) -> None:
        """Takes out what leads to the person's device; the rest is kept until `until`."""
        ...


class Consents:
    """Shows records."""

    def __init__(self, log: ConsentLog) -> None:
        self._log = log

    def page(
        self, person: Subscriber, *, limit: int, cursor: str | None = None
    ) -> Page[ConsentRecord]:
        """All records of a person, those of former addresses first, else oldest first.

        What an import says that added her is not among them, see `of_imports`.

        Raises:
            InvalidInput: the cursor is not one of this listing.
        """
        subjects = [*person.previous, person.id]
        subject, _, after = (resume(cursor) or "").partition("#")
        if cursor is not None:
            if subject not in subjects:
                raise InvalidInput(BAD_CURSOR)
            subjects = subjects[subjects.index(subject) :]
        records = (
            (f"{one}#{place}", record)
            for number, one in enumerate(subjects)
            for place, record in self._log.of(
                person.workspace, one, after=after or None if number == 0 else None
            )
        )
        page = cut(records, limit, lambda pair: pair[0])
        return Page(tuple(record for _, record in page.items), page.cursor)

    def of_imports(self, person: Subscriber) -> list[ConsentRecord]:
        """What the imports say that added this person and that last wrote her."""
        jobs = dict.fromkeys(job for job in (person.first_import, person.imported_by) if job)
        return [record for job in jobs for _, record in self._log.of(person.workspace, job)]
