"""The people: subscribers, lists, suppressions. All in plain values, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shared.clock import from_iso, to_iso
from shared.mail import Mailbox

Attribute = str | int | float | bool | list[str]
"""A custom attribute's value. Dates are RFC 3339 text."""


class ListState(StrEnum):
    """A person's state on one list."""

    PENDING = "pending"
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"


class SuppressionReason(StrEnum):
    """Why an address must not be mailed in this workspace."""

    HARD_BOUNCE = "hard_bounce"
    COMPLAINT = "complaint"
    UNSUBSCRIBED = "unsubscribed"
    """From everything: campaigns stop, transactional mail goes on."""
    MANUAL = "manual"
    ERASURE = "erasure"

    def covers(self, other: SuppressionReason) -> bool:
        """Whether an entry of this reason stays where one of `other` is to be put: it is graver."""
        return GRAVEST_FIRST.index(self) < GRAVEST_FIRST.index(other)


GRAVEST_FIRST = (
    SuppressionReason.ERASURE,
    SuppressionReason.COMPLAINT,
    SuppressionReason.HARD_BOUNCE,
    SuppressionReason.MANUAL,
    SuppressionReason.UNSUBSCRIBED,
)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One person in one workspace.

    `address` is normalised (see `shared.audience.addresses`). `suppressed` is a
    copy of the suppression list's entry for this person, kept here so that the
    check at the moment of sending is one read. `deleted` hides a person until
    the job has removed everything. `imported_by` is the job that last wrote
    this person, if an import ever did: where the data came from; `first_import`
    is the first that did, if that was another. `quality` names what was odd
    about the address when it was last taken in (see `shared.audience.quality`).
    `previous` are the ids of addresses she had before. An old id keeps an empty,
    `deleted` record that `moved_to` leads on
    from.
    """

    id: str
    workspace: str
    address: str
    created_at: datetime
    updated_at: datetime
    lists: Mapping[str, ListState] = field(default_factory=dict)
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    locale: str = ""
    time_zone: str = ""
    suppressed: SuppressionReason | None = None
    deleted: bool = False
    version: int = 0
    imported_by: str = ""
    quality: tuple[str, ...] = ()
    previous: tuple[str, ...] = ()
    moved_to: str = ""
    first_import: str = ""

    def to_item(self) -> dict[str, object]:
        """Plain JSON, as stored and as `RecipientReader` gives it; nothing left out but blanks."""
        item: dict[str, object] = {
            "id": self.id,
            "workspace": self.workspace,
            "address": self.address,
            "created_at": to_iso(self.created_at),
            "updated_at": to_iso(self.updated_at),
            "lists": {list_id: state.value for list_id, state in self.lists.items()},
            "attributes": dict(self.attributes),
            "tags": list(self.tags),
            "locale": self.locale,
            "time_zone": self.time_zone,
            "suppressed": self.suppressed.value if self.suppressed else None,
            "deleted": self.deleted or None,
            "version": self.version,
            "imported_by": self.imported_by,
            "quality": list(self.quality),
            "previous": list(self.previous),
            "moved_to": self.moved_to,
            "first_import": self.first_import,
        }
        return {key: value for key, value in item.items() if value not in (None, "", [], {})}

    @classmethod
    def from_item(cls, item: Mapping[str, object]) -> Subscriber:
        """Reads what `to_item` wrote."""
        plain: dict[str, object] = dict(item)
        suppressed = plain.get("suppressed")
        return cls(
            id=str(plain["id"]),
            workspace=str(plain["workspace"]),
            address=str(plain.get("address", "")),
            created_at=from_iso(str(plain["created_at"])),
            updated_at=from_iso(str(plain["updated_at"])),
            lists={k: ListState(str(v)) for k, v in _mapping(plain, "lists").items()},
            attributes=_mapping(plain, "attributes"),
            tags=tuple(plain.get("tags", ())),  # type: ignore[arg-type]  # JSON of our own
            locale=str(plain.get("locale", "")),
            time_zone=str(plain.get("time_zone", "")),
            suppressed=SuppressionReason(str(suppressed)) if suppressed else None,
            deleted=bool(plain.get("deleted", False)),
            version=int(str(plain.get("version", 0))),
            imported_by=str(plain.get("imported_by", "")),
            quality=tuple(plain.get("quality", ())),  # type: ignore[arg-type]  # JSON of our own
            previous=tuple(plain.get("previous", ())),  # type: ignore[arg-type]  # JSON of our own
            moved_to=str(plain.get("moved_to", "")),
            first_import=str(plain.get("first_import", "")),
        )


def _mapping(plain: Mapping[str, object], key: str) -> dict[str, Attribute]:
    value = plain.get(key, {})
    return dict(value) if isinstance(value, Mapping) else {}


@dataclass(frozen=True, slots=True)
class DoubleOptIn:
    """How a list asks people to confirm; `template_id` empty is the shipped mail."""

    sender: Mailbox
    template_id: str = ""


@dataclass(frozen=True, slots=True)
class MailingList:
    """A list that people subscribe to.

    `public` shows it in everybody's preference centre. With `double_opt_in`,
    who joins is pending until she has confirmed it herself.
    """

    id: str
    workspace: str
    name: str
    created_at: datetime
    description: str = ""
    version: int = 0
    public: bool = False
    double_opt_in: DoubleOptIn | None = None


@dataclass(frozen=True, slots=True)
class Suppression:
    """An entry of the suppression list, by subscriber id: a keyed hash of the address.

    `address` is kept beside it for exports and for the providers' lists. It is
    blank for an erasure, of which the hash alone remains, and where nobody
    knew it when the entry was made.
    """

    workspace: str
    subscriber: str
    reason: SuppressionReason
    at: datetime
    source: str = ""
    """Who said so: `webhook:<provider>`, `sync:<provider>`, `import:<job>`, `api:<key id>`, `link`.

    What is after the colon says which one."""
    address: str = ""

    def is_of(self, reason: SuppressionReason | None, source: str) -> bool:
        """Whether a listing by `reason` and `source` has it; None and blank leave open."""
        said = source in {"", self.source, self.source.partition(":")[0]}
        return said and reason in {None, self.reason}


@dataclass(frozen=True, slots=True)
class RowRejection:
    """A row of an import that was not taken: its number (header = 1), the field and why."""

    row: int
    field: str
    reason: str
