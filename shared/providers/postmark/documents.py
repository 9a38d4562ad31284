"""The JSON that Postmark is sent: whole messages, of which most is the same for all.

What is the same is made into JSON once, as a form with gaps; per recipient only
the texts for the gaps are. Made anew for everybody, a batch of 500 would be
copied several times over, which costs more than all the rest of sending it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from shared.mail import Attachment, Extras, Mailbox, OutgoingBatch, OutgoingRecipient, Skeleton
from shared.providers.answers import NOT_UNICODE
from shared.providers.isolating import Refused

_NUL = b"\\u0000"
"""How JSON writes the character that stands between a recipient's texts."""

_TO, _MESSAGE_ID, _FIRST = 0, 1, 2
"""Places among a recipient's texts; the headers' values come next, then those of the slots."""


class Messages:
    """Writes the messages of one batch. `fields` are Postmark's own that are the same for all."""

    def __init__(self, batch: OutgoingBatch, fields: Mapping[str, Any]) -> None:
        extras = batch.extras or Extras()
        self._headers = batch.headers
        self._metadata = dict(extras.metadata)
        self._slotted = [(field, part) for field, part in _parts(batch) if part.slots]
        self._common = {
            **fields,
            **_extra_fields(extras),
            **{field: part.fill(()) for field, part in _parts(batch) if not part.slots},
        }
        self._forms: dict[tuple[str, ...], _Form] = {}

    def encode(self, people: Sequence[OutgoingRecipient]) -> bytes | Refused:
        """The body for some of the recipients; refused if some text in it is not Unicode."""
        pieces: list[bytes] = []
        try:
            for one in people:
                headers = {**self._headers, **one.headers}
                names = tuple(headers)
                form = self._forms.get(names)
                if form is None:
                    form = self._forms[names] = self._form(names)
                texts = _escaped(one, [headers[name] for name in names])
                message = [*form.literals]
                message[1::2] = [texts[gap] for gap in form.gaps]
                pieces += message
        except orjson.JSONEncodeError:
            return NOT_UNICODE
        pieces[0] = b"[" + pieces[0].removeprefix(b",")
        pieces.append(b"]")
        return b"".join(pieces)

    def _form(self, headers: Sequence[str]) -> _Form:
        """A comma and the message; with headers of these names."""
        form = _Form([b"," + orjson.dumps(self._common)[:-1]], [])
        form.add(b',"To":"', _TO, b'"')
        metadata = orjson.dumps(self._metadata)[1:-1]
        form.add(b',"Metadata":{"tidepost_id":"', _MESSAGE_ID, b'"')
        form.end(b"," + metadata + b"}" if metadata else b"}")
        for place, name in enumerate(headers):
            opening = b"," if place else b',"Headers":['
            form.add(opening + b'{"Name":%b,"Value":"' % orjson.dumps(name), _FIRST + place, b'"}')
        form.end(b"]" if headers else b"")
        first = _FIRST + len(headers)
        for field, part in self._slotted:
            form.end(b',"%b":"' % field.encode())
            for literal, slot in zip(part.literals, part.slots, strict=False):
                form.add(orjson.dumps(literal)[1:-1], first + slot, b"")
            form.end(orjson.dumps(part.literals[-1])[1:-1] + b'"')
        form.end(b"}")
        return form


@dataclass(frozen=True, slots=True)
class _Form:
    """One literal more than gaps, with room between any two literals.

    `gaps[i]` says which of a recipient's texts stands there.
    """

    literals: list[bytes]
    gaps: list[int]

    def add(self, before: bytes, gap: int, after: bytes) -> None:
        self.literals[-1] += before
        self.literals.extend((b"", after))
        self.gaps.append(gap)

    def end(self, literal: bytes) -> None:
        self.literals[-1] += literal


def _escaped(one: OutgoingRecipient, headers: Sequence[str]) -> list[bytes]:
    """All of a recipient's texts as they stand between the quotes of a JSON string.

    They are escaped in one call. Where that gives another number of them, a
    text holds a NUL or what is written like one, and each is escaped alone.
    """
    to = mailbox(one.to) if one.to.name else one.to.address
    texts = [to, one.message_id, *headers, *one.values]
    escaped = orjson.dumps("\0".join(texts))[1:-1].split(_NUL)
    if len(escaped) == len(texts):
        return escaped
    return [orjson.dumps(text)[1:-1] for text in texts]


def mailbox(box: Mailbox) -> str:
    """`"Name" <address>`, the name as an RFC 5322 quoted string; Postmark takes UTF-8 in it."""
    if not box.name:
        return box.address
    quoted = box.name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}" <{box.address}>'


def _parts(batch: OutgoingBatch) -> Iterator[tuple[str, Skeleton]]:
    yield "Subject", batch.subject
    if batch.text is not None:
        yield "TextBody", batch.text
    if batch.html is not None:
        yield "HtmlBody", batch.html


def _extra_fields(extras: Extras) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for field, people in (("Cc", extras.cc), ("Bcc", extras.bcc)):
        if people:
            fields[field] = ", ".join(map(mailbox, people))
    if extras.attachments:
        fields["Attachments"] = [_attachment(file) for file in extras.attachments]
    return fields


def _attachment(file: Attachment) -> dict[str, str]:
    attachment = {
        "Name": file.filename,
        "Content": file.content,
        "ContentType": file.content_type,
    }
    if file.content_id:
        attachment["ContentID"] = f"cid:{file.content_id}"
    return attachment
