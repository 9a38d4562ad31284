"""The documents that SES is sent: SendEmail with a whole mail, SendBulkEmail with a template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.mail import Attachment, Extras, OutgoingBatch, OutgoingRecipient, Skeleton
from shared.providers.answers import encode
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
        "BulkEmailEntries": [_entry(one, prepared.data[one.index]) for one in part],
    }
    if prepared.tags:
        document["DefaultEmailTags"] = prepared.tags
    return document


def _entry(one: OutgoingRecipient, data: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "Destination": {"ToAddresses": [mailbox(one.to)]},
        "ReplacementTags": [_message_id_tag(one)],
        "ReplacementEmailContent": {"ReplacementTemplate": {"ReplacementTemplateData": data}},
    }
    if one.headers:
        entry["ReplacementHeaders"] = _headers(one.headers)
    return entry


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
    keys = [(f"v{slot}", slot) for slot in sorted(tags.slots)]
    found = {}
    for one in recipients:
        values = one.values
        data = encode({**tags.static, **{key: values[slot] for key, slot in keys}})
        if not isinstance(data, Refused) and len(data) <= MAX_REPLACEMENT_BYTES:
            found[one.index] = data.decode()
    return found


def _parts(batch: OutgoingBatch) -> list[tuple[str, Skeleton]]:
    named = (("Subject", batch.subject), ("Text", batch.text), ("Html", batch.html))
    return [(name, part) for name, part in named if part is not None]


def _text(data: str) -> dict[str, str]:
    return {"Data": data, "Charset": "UTF-8"}


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
