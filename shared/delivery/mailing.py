"""What a chunk sends: one campaign's mail, or one transactional message.

A mailing knows its content and re-checks, at the moment of sending, whether a
person may still be mailed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from shared.audience.model import SuppressionReason
from shared.audience.ports import BlobStore, SuppressionStore
from shared.audience.segments.model import Consent
from shared.content.compiled import CompiledTemplate
from shared.content.model import TemplateSource
from shared.content.ports import TemplateStore
from shared.delivery.bands import Bands
from shared.delivery.composing import fitting
from shared.delivery.model import Campaign, ChunkPlan
from shared.delivery.ports import RecipientReader
from shared.delivery.routing import Candidate
from shared.delivery.rules import Traits
from shared.delivery.schedule import ANY_TIME, Schedule
from shared.ids import NOBODY, UnsubscribeTokens
from shared.mail import Attachment, Extras, Load, Mailbox, MessageKind

Document = Mapping[str, Any]
"""A person's stored item as plain JSON (`Subscriber.to_item`)."""

ERASED = "erased"
ADDRESS_CHANGED = "address_changed"
NOT_SUBSCRIBED = "not_subscribed"
_STOPS_TRANSACTIONAL = frozenset(SuppressionReason) - {SuppressionReason.UNSUBSCRIBED}


@dataclass(frozen=True, slots=True)
class Person:
    """One recipient: the address and context to render with, or why not to mail (`skip`)."""

    to: Mailbox
    context: Mapping[str, Any]
    headers: Mapping[str, str]
    skip: str = ""
    time_zone: str = ""
    band: str = ""
    """Engagement band; empty if no delivery rule asks for it."""


@dataclass(frozen=True, slots=True)
class Mailing:
    """Everything that is the same for all recipients of a chunk, and how to get at them."""

    workspace: str
    kind: MessageKind
    sender: Mailbox
    reply_to: Mailbox | None
    tags: tuple[str, ...]
    template: CompiledTemplate
    people: Callable[[tuple[str, ...]], list[Person]]
    headers: Mapping[str, str] = field(default_factory=dict)
    extras: Extras | None = None
    size: int = 0
    """Bytes of a message with extras, as the ESPs count them."""
    schedule: Schedule = ANY_TIME
    pace_per_hour: int | None = None
    lists: tuple[str, ...] = ()

    @property
    def traits(self) -> Traits:
        """What delivery rules may ask of it."""
        return Traits(self.kind, frozenset(self.lists), frozenset(self.tags))

    def candidates(self, candidates: Sequence[Candidate]) -> Sequence[Candidate]:
        """The providers as this mail finds them: not every one takes all files and copies."""
        if self.extras is None:
            return candidates
        load = Load(self.size, tuple(file.filename for file in self.extras.attachments))
        copies = [box.address for box in (*self.extras.cc, *self.extras.bcc)]
        return fitting(candidates, load, copies)


def _skipped(reason: str) -> Person:
    return Person(Mailbox(""), {}, {}, reason)


class Mailings:
    """Builds mailings. Compiled templates are kept for the life of the container."""

    def __init__(
        self,
        *,
        templates: TemplateStore,
        recipients: RecipientReader,
        suppressions: SuppressionStore,
        bands: Bands,
        unsubscribe: UnsubscribeTokens,
        public_url: str,
        blobs: BlobStore,
    ) -> None:
        self._templates = templates
        self._recipients = recipients
        self._suppressions = suppressions
        self._bands = bands
        self._unsubscribe = unsubscribe
        self._public_url = public_url.rstrip("/")
        self._blobs = blobs
        self._compiled: dict[tuple[str, str, int], CompiledTemplate] = {}

    def of_campaign(self, campaign: Campaign) -> Mailing:
        """A campaign's mail. Raises NotFound if its template version is gone."""

        def people(subscribers: tuple[str, ...]) -> list[Person]:
            found = self._recipients.recipients(campaign.workspace, subscribers)
            consent = campaign.consent
            token = self._unsubscribe.maker(campaign.workspace, campaign.id, consent.only_list)
            common = {"campaign": {"id": campaign.id, "name": campaign.name}}
            if campaign.seed_list:
                consent = replace(consent, lists=(*consent.lists, campaign.seed_list))
            mailed = [
                self._subscriber(found.get(subscriber), consent, common, token(subscriber))
                for subscriber in subscribers
            ]
            return self._with_bands(campaign.workspace, subscribers, mailed)

        return Mailing(
            workspace=campaign.workspace,
            kind=MessageKind.CAMPAIGN,
            sender=campaign.sender,
            reply_to=campaign.reply_to,
            tags=campaign.tags,
            template=self._template(
                campaign.workspace, campaign.template_id, campaign.template_version
            ),
            people=people,
            schedule=campaign.schedule,
            pace_per_hour=campaign.pace_per_hour,
            lists=campaign.whom.lists,
        )

    def of_message(self, plan: ChunkPlan) -> Mailing:
        """A transactional message, whose content is in the plan, or in a file if it is large.

        Raises:
            NotFound: the file or the template is gone.
        """
        message = plan.message or {}
        workspace = plan.key.workspace
        if "erased" in message:
            return _emptied(workspace, message)
        if "file" in message:
            message = {**message, **orjson.loads(self._blobs.get(message["file"]))}

        def people(subscribers: tuple[str, ...]) -> list[Person]:
            entry = self._suppressions.get(workspace, subscribers[0])
            if entry and entry.reason in _STOPS_TRANSACTIONAL:
                return [_skipped(f"suppressed_{entry.reason}")]
            person = Person(Mailbox(**message["to"]), {"data": message["data"]}, {})
            return self._with_bands(workspace, subscribers, [person])

        if message.get("template_id"):
            template = self._template(
                workspace, message["template_id"], message["template_version"]
            )
        else:
            template = CompiledTemplate(TemplateSource(**message["content"]))
        return Mailing(
            workspace=workspace,
            kind=MessageKind.TRANSACTIONAL,
            sender=Mailbox(**message["sender"]),
            reply_to=Mailbox(**message["reply_to"]) if message.get("reply_to") else None,
            tags=tuple(message.get("tags", ())),
            template=template,
            people=people,
            headers=message.get("headers", {}),
            extras=self._extras(workspace, message),
            size=message.get("size", 0),
        )

    def _with_bands(
        self, workspace: str, subscribers: tuple[str, ...], people: list[Person]
    ) -> list[Person]:
        bands = self._bands.of(workspace, subscribers)
        if not bands:
            return people
        return [
            replace(person, band=bands[one])
            for one, person in zip(subscribers, people, strict=True)
        ]

    def _extras(self, workspace: str, message: Mapping[str, Any]) -> Extras | None:
        """Copies, files and metadata. Who must not be mailed gets no copy."""
        copies = [copy["subscriber"] for kind in ("cc", "bcc") for copy in message.get(kind, ())]
        stopped = self._suppressions.get_many(workspace, copies) if copies else {}

        def boxes(kind: str) -> tuple[Mailbox, ...]:
            return tuple(
                Mailbox(copy["address"], copy["name"])
                for copy in message.get(kind, ())
                if copy["subscriber"] != NOBODY
                and (
                    copy["subscriber"] not in stopped
                    or stopped[copy["subscriber"]].reason not in _STOPS_TRANSACTIONAL
                )
            )

        files = zip(message.get("attachments", ()), message.get("files", ()), strict=True)
        extras = Extras(
            cc=boxes("cc"),
            bcc=boxes("bcc"),
            attachments=tuple(
                Attachment(file["filename"], file["content_type"], content, file["content_id"])
                for file, content in files
            ),
            metadata=message.get("metadata", {}),
        )
        return None if extras == Extras() else extras

    def _template(self, workspace: str, template_id: str, version: int) -> CompiledTemplate:
        key = (workspace, template_id, version)
        if key not in self._compiled:
            if len(self._compiled) >= _KEPT:
                self._compiled.clear()
            source = self._templates.get(*key).source
            self._compiled[key] = CompiledTemplate(source)
        return self._compiled[key]

    def _subscriber(
        self, found: Document | None, consent: Consent, common: Mapping[str, Any], token: str
    ) -> Person:
        if found is None or "deleted" in found:
            return _skipped(ADDRESS_CHANGED if found and "moved_to" in found else ERASED)
        if "suppressed" in found:
            return _skipped(f"suppressed_{found['suppressed']}")
        person = {**_BLANK, **found}
        if not consent.given(person["lists"]):
            return _skipped(NOT_SUBSCRIBED)
        address = person["address"]
        subscriber = {
            "id": person["id"],
            "email": address,
            "attributes": person["attributes"],
            "tags": person["tags"],
            "locale": person["locale"],
        }
        url = f"{self._public_url}/u/{token}"
        urls = {"unsubscribe_url": url, "preferences_url": f"{self._public_url}/p/{token}"}
        return Person(
            Mailbox(address),
            {"subscriber": subscriber, **urls, **common},
            {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": _ONE_CLICK},
            time_zone=person["time_zone"],
        )


def _emptied(workspace: str, message: Mapping[str, Any]) -> Mailing:
    """A message to somebody who has been erased since: nobody is mailed, and nothing is left."""
    return Mailing(
        workspace=workspace,
        kind=MessageKind.TRANSACTIONAL,
        sender=Mailbox(**message["sender"]),
        reply_to=None,
        tags=(),
        template=CompiledTemplate(TemplateSource("", text="-")),
        people=lambda subscribers: [_skipped(ERASED) for _ in subscribers],
    )


_KEPT = 64
_BLANK: Document = {"lists": {}, "attributes": {}, "tags": (), "locale": "", "time_zone": ""}
"""What `Subscriber.to_item` leaves out."""

_ONE_CLICK = "List-Unsubscribe=One-Click"
