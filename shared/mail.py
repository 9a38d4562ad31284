"""The words for mail itself: addresses, mailbox groups, skeletons and batches.

A batch is what one ESP request needs: everything that is the same for all
recipients once, and per recipient only what differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class MessageKind(StrEnum):
    """Which message stream a message travels in."""

    CAMPAIGN = "campaign"
    TRANSACTIONAL = "transactional"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address with an optional display name, as in `From`."""

    address: str
    name: str = ""


class MailboxGroup(StrEnum):
    """Who runs the recipient's mailbox: reputation is kept per group."""

    GMAIL = "gmail"
    MICROSOFT = "microsoft"
    YAHOO = "yahoo"
    APPLE = "apple"
    GMX = "gmx"
    PROTON = "proton"
    OTHER = "other"


_GROUP_OF_DOMAIN: dict[str, MailboxGroup] = {
    domain: group
    for group, domains in {
        MailboxGroup.GMAIL: "gmail.com googlemail.com",
        MailboxGroup.MICROSOFT: (
            "outlook.com hotmail.com live.com msn.com outlook.de hotmail.de hotmail.fr hotmail.it"
            " hotmail.es hotmail.co.uk live.de live.fr live.nl live.co.uk outlook.fr outlook.es"
        ),
        MailboxGroup.YAHOO: (
            "yahoo.com ymail.com rocketmail.com aol.com yahoo.co.uk yahoo.de yahoo.fr yahoo.it"
            " yahoo.es yahoo.co.in yahoo.com.br yahoo.ca verizon.net"
        ),
        MailboxGroup.APPLE: "icloud.com me.com mac.com",
        MailboxGroup.GMX: "gmx.de gmx.net gmx.at gmx.ch gmx.com web.de mail.com 1und1.de",
        MailboxGroup.PROTON: "proton.me protonmail.com pm.me protonmail.ch",
    }.items()
    for domain in domains.split()
}


def mailbox_group(address: str) -> MailboxGroup:
    """The group of an address's domain; `other` for all that is not well known."""
    return _GROUP_OF_DOMAIN.get(address.rpartition("@")[2].lower(), MailboxGroup.OTHER)


@dataclass(frozen=True, slots=True)
class Skeleton:
    """One part of a message (subject, HTML or text), cut into static text and slots.

    `literals` has one element more than `slots`. `slots[i]` says which of a
    recipient's values stands between `literals[i]` and `literals[i + 1]`; one
    value may stand in several places.
    """

    literals: tuple[str, ...]
    slots: tuple[int, ...] = ()

    def fill(self, values: Sequence[str]) -> str:
        """The part as one recipient gets it."""
        if not self.slots:
            return self.literals[0]
        pieces = [""] * (2 * len(self.slots) + 1)
        pieces[::2] = self.literals
        pieces[1::2] = [values[slot] for slot in self.slots]
        return "".join(pieces)


@dataclass(frozen=True, slots=True)
class OutgoingRecipient:
    """One recipient of a batch.

    `index` is the place in the chunk, `values` fill the slots of all three
    skeletons, `headers` are this person's own (List-Unsubscribe).
    """

    index: int
    message_id: str
    to: Mailbox
    values: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a message.

    `content` is base64, which is how each ESP takes it. With a `content_id`
    the file is inline: the HTML part shows it as `cid:<content_id>`.
    """

    filename: str
    content_type: str
    content: str
    content_id: str = ""

    @property
    def size(self) -> int:
        """Bytes of the file itself."""
        return len(self.content) * 3 // 4 - self.content[-2:].count("=")


@dataclass(frozen=True, slots=True)
class Extras:
    """What only a single message may have; a batch of several recipients has none.

    `cc` and `bcc` get the same mail as the recipient. `metadata` is the
    caller's own words, which come back in the ESP's reports.
    """

    cc: tuple[Mailbox, ...] = ()
    bcc: tuple[Mailbox, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Load:
    """What a message asks of an ESP: bytes once its files are base64, and the files' names."""

    size: int
    filenames: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Capacity:
    """What an ESP takes in one message. `forbidden` are file name extensions, in lower case."""

    max_bytes: int | None = None
    forbidden: frozenset[str] = frozenset()

    def refusal(self, load: Load) -> str:
        """`too_large`, `forbidden_file_type`, or nothing if the ESP takes the message."""
        if self.max_bytes is not None and load.size > self.max_bytes:
            return TOO_LARGE
        if any(name.lower().rpartition(".")[2] in self.forbidden for name in load.filenames):
            return FORBIDDEN_FILE_TYPE
        return ""


UNLIMITED = Capacity()
TOO_LARGE = "too_large"
FORBIDDEN_FILE_TYPE = "forbidden_file_type"


@dataclass(frozen=True, slots=True)
class OutgoingBatch:
    """What one call of `EmailSender.send` posts. `tags` and ids hold no personal data."""

    kind: MessageKind
    sender: Mailbox
    subject: Skeleton
    recipients: tuple[OutgoingRecipient, ...]
    html: Skeleton | None = None
    text: Skeleton | None = None
    reply_to: Mailbox | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    extras: Extras | None = None

    def only(self, recipients: Sequence[OutgoingRecipient]) -> OutgoingBatch:
        """The same mail to fewer people."""
        return OutgoingBatch(
            kind=self.kind,
            sender=self.sender,
            subject=self.subject,
            recipients=tuple(recipients),
            html=self.html,
            text=self.text,
            reply_to=self.reply_to,
            headers=self.headers,
            tags=self.tags,
            extras=self.extras,
        )


class Verdict(StrEnum):
    """What an ESP's answer means for one recipient."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    """For good: this recipient cannot be mailed through this ESP."""
    NOT_ACCEPTED = "not_accepted"
    """Surely not taken, and nothing is wrong with the mail: may go elsewhere at once."""
    UNAVAILABLE = "unavailable"
    """Surely not taken; the account is out of service until somebody acts."""
    SENDER_FAULT = "sender_fault"
    """Surely not taken; sender or configuration is at fault: the campaign must pause."""
    IN_DOUBT = "in_doubt"
    """May have been taken. Never blindly sent again."""


@dataclass(frozen=True, slots=True)
class SendOutcome:
    """One recipient's outcome.

    `code` is the ESP's own code or status where it gives one, else a word of
    ours such as `read_timeout`; `detail` is for people and holds no address.
    `retry_after` is in seconds, where the ESP named it.
    """

    index: int
    verdict: Verdict
    code: str = ""
    detail: str = ""
    provider_message_id: str | None = None
    retry_after: float | None = None
