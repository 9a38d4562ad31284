"""The documents that SES is sent: SendEmail with a whole mail, SendBulkEmail with a template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.mail import Attachment, Extras, OutgoingBatch, OutgoingRecipient, Skeleton
from shared.providers.answers import encode, encode_lines
from shared.providers.isolating import Refused
from shared.providers.ses.addresses import encoded, mailbox, tag_value
from shared.providers.ses.template import Tags

MAX_TEMPLATE_BYTES = 500_000
MAX_REPLACEMENT_BYTES = 262_144

_MESSAGE_ID_TAG = "tidepost_id"
METADATA_PREFIX = "meta_"
"""Before a metadata name: tags of ours are called `tag` and `tidepost_id`."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch, prepared once for all of its requests.

    `data` maps the index of each recipient who can be mailed by template to
    that person's replacement data. The others are to be mailed singly.
    """

    batch: OutgoingBatch
    common: Mapping[str, Any]
    tags: Sequence[Mapping[str, str]]
    template: Mapping[str, Any]
    data: Mapping[int, str]


def prepare(batch: OutgoingBatch, configuration_set: str) -> Prepared:
    """Everything that the batch's requests have in common."""
    common: dict[str, Any] = {"FromEmailAddress": mailbox(batch.sender)}
    if batch.reply_to:
        common["ReplyToAddresses"] = [mailbox(batch.reply_to)]
    if configuration_set:
        common["ConfigurationSetName"] = configuration_set
    template: dict[str, Any] = {}
    data: dict[int, str] = {}
    if len(batch.recipients) > 1:
        tags = Tags()
        content = {name: tags.template(skeleton) for name, skeleton in _parts(batch)}
        template = {"TemplateContent": content, "TemplateData": "{}"}
        if batch.headers:
            template["Headers"] = _headers(batch.headers)
        size = encode(content)
        if not isinstance(size, Refused) and len(size) <= MAX_TEMPLATE_BYTES:
            data = _replacement_data(batch.recipients, tags)
    metadata = batch.extras.metadata if batch.extras else {}
    tags_of_all = [*_tags(batch.tags), *_metadata(metadata)]
    return Prepared(batch, common, tags_of_all, template, data)


def single(prepared: Prepared, one: OutgoingRecipient) -> dict[str, Any]:
    """SendEmail with the whole mail of one recipient."""
    text = {name: _text(part.fill(one.values)) for name, part in _parts(prepared.batch)}
    simple: dict[str, Any] = {"Subject": text.pop("Subject"), "Body": text}
    headers = {**prepared.batch.headers, **one.headers}
    if headers:
        simple["Headers"] = _headers(headers)
    extras = prepared.batch.extras
    if extras and extras.attachments:
        simple["Attachments"] = [_attachment(file) for file in extras.attachments]
    return {
        **prepared.common,
        "Destination": _destination(one, extras),
        "EmailTags": [_message_id_tag(one), *prepared.tags],
        "Content": {"Simple": simple},
    }


def bulk(prepared: Prepared, part: Sequence[OutgoingRecipient]) -> dict[str, Any]:
    """SendBulkEmail with one template, and per recipient what stands in its slots."""
    document = {
        **prepared.common,
        "DefaultContent": {"Template": prepared.template},
        "BulkEmailEntries": _entries(part, prepared.data),
    }
    if prepared.tags:
        document["DefaultEmailTags"] = prepared.tags
    return document


def _entries(part: Sequence[OutgoingRecipient], data: Mapping[int, str]) -> list[dict[str, Any]]:
    """One entry a recipient. All of them are looked at together for what is to be encoded."""
    texts = [one.headers[name] for one in part for name in one.headers]
    texts += [text for one in part for text in (one.to.address, one.to.name)]
    plain = "".join(texts).isascii()
    entries = [
        {
            "Destination": {
                "ToAddresses": [one.to.address if plain and not one.to.name else mailbox(one.to)]
            },
            "ReplacementTags": [{"Name": _MESSAGE_ID_TAG, "Value": one.message_id}],
            "ReplacementEmailContent": {
                "ReplacementTemplate": {"ReplacementTemplateData": data[one.index]}
            },
        }
        for one in part
    ]
    for one, entry in zip(part, entries, strict=True):
        if one.headers:
            entry["ReplacementHeaders"] = _plain(one.headers) if plain else _headers(one.headers)
    return entries


def _destination(one: OutgoingRecipient, extras: Extras | None) -> dict[str, list[str]]:
    destination = {"ToAddresses": [mailbox(one.to)]}
    if extras and extras.cc:
        destination["CcAddresses"] = [mailbox(box) for box in extras.cc]
    if extras and extras.bcc:
        destination["BccAddresses"] = [mailbox(box) for box in extras.bcc]
    return destination


def _attachment(file: Attachment) -> dict[str, str]:
    attachment = {
        "FileName": file.filename,
        "ContentType": file.content_type,
        "RawContent": file.content,
        "ContentTransferEncoding": "BASE64",  # the default, seven bits, would break binary files
        "ContentDisposition": "INLINE" if file.content_id else "ATTACHMENT",
    }
    if file.content_id:
        attachment["ContentId"] = file.content_id
    return attachment


def _replacement_data(recipients: Sequence[OutgoingRecipient], tags: Tags) -> dict[int, str]:
    """By index; those are missing who have more text than SES takes, or text that is not Unicode.

    All are encoded in one piece: JSON on one line has no line breaks of its own.
    """
    keys = [(f"v{slot}", slot) for slot in sorted(tags.slots)]
    documents = [
        {**tags.static, **{key: one.values[slot] for key, slot in keys}} for one in recipients
    ]
    lines = encode_lines(documents)
    if not isinstance(lines, Refused) and len(lines) <= MAX_REPLACEMENT_BYTES:
        data = lines.decode().split("\n")
        return {one.index: text for one, text in zip(recipients, data, strict=True)}
    if len(recipients) == 1:
        return {}
    middle = len(recipients) // 2
    return _replacement_data(recipients[:middle], tags) | _replacement_data(
        recipients[middle:], tags
    )


def _parts(batch: OutgoingBatch) -> list[tuple[str, Skeleton]]:
    named = (("Subject", batch.subject), ("Text", batch.text), ("Html", batch.html))
    return [(name, part) for name, part in named if part is not None]


def _text(data: str) -> dict[str, str]:
    return {"Data": data, "Charset": "UTF-8"}


def _plain(headers: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": headers[name]} for name in headers]


def _headers(headers: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": encoded(value)} for name, value in headers.items()]


def _message_id_tag(one: OutgoingRecipient) -> dict[str, str]:
    return {"Name": _MESSAGE_ID_TAG, "Value": one.message_id}


def _metadata(metadata: Mapping[str, str]) -> list[dict[str, str]]:
    """Metadata as tags; what SES takes in no tag becomes an underscore."""
    return [
        {"Name": METADATA_PREFIX + name, "Value": tag_value(value)}
        for name, value in metadata.items()
    ]


def _tags(tags: Sequence[str]) -> list[dict[str, str]]:
    """The first tag is `tag`, then `tag2` and so on: SES wants each name once."""
    values = [tag_value(tag) for tag in tags]
    return [
        {"Name": "tag" if place == 1 else f"tag{place}", "Value": value}
        for place, value in enumerate(values, start=1)
        if value
    ]
