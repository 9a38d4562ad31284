"""The sandbox's own interface under `/_sandbox`, and the mailbox pages.

| | |
|---|---|
| `GET /_sandbox/messages?provider=&to=&tidepost_id=&limit=&offset=` | `{"total", "messages"}` |
| `GET /_sandbox/messages/<id>` | with bodies and events; the id is ours, theirs or the sender's |
| `DELETE /_sandbox/messages` | forgets messages, counts, suppressions and events to come |
| `GET /_sandbox/stats` | accepted, duplicates, events by provider and type, webhook deliveries |
| `GET`, `PUT`, `PATCH /_sandbox/behaviour` | the behaviour document; PATCH merges (RFC 7396) |
| `GET /_sandbox/faults` | what was done to requests: `counts`, and `faults` one by one |
| `POST /_sandbox/events` | `{"message_id", "type", "url"?, "user_agent"?, "raw"?}`: one event now |
| `GET /_sandbox/dns`, `PUT`, `DELETE /_sandbox/dns/<name>` | TXT records: `{"TXT": ["..."]}` |
| `GET /_sandbox/identity` | keys and credentials, as in identity.json |

`raw` is a merge patch over the event's payload, so tests can make what no ESP sends.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from local.sandbox.behaviour import Behaviour, Document
from local.sandbox.dns import Zone
from local.sandbox.happenings import made_by_hand
from local.sandbox.identity import Identity
from local.sandbox.mailbox import Kind, Mailbox, Message
from local.sandbox.pages import HTML_PART_HEADERS, mailbox_page, message_page, missing_page
from local.sandbox.webhooks import Webhooks
from local.sandbox.wire import (
    Answer,
    JsonObject,
    Refused,
    Request,
    html_answer,
    json_answer,
    merged,
)
from shared.errors import ConfigurationError

_MAX_LIMIT = 1000


class Control:
    """Reads and steers a sandbox over HTTP."""

    def __init__(
        self,
        behaviour: Behaviour,
        mailbox: Mailbox,
        webhooks: Webhooks,
        zone: Zone,
        identity: Identity,
    ) -> None:
        self._behaviour = behaviour
        self._mailbox = mailbox
        self._webhooks = webhooks
        self._zone = zone
        self._identity = identity
        self._actions: dict[tuple[str, str, int], Callable[..., Answer]] = {
            ("GET", "messages", 0): self._messages,
            ("GET", "messages", 1): self._one_message,
            ("DELETE", "messages", 0): self._reset,
            ("GET", "stats", 0): self._stats,
            ("GET", "identity", 0): self._tell_identity,
            ("GET", "behaviour", 0): self._behaviour_now,
            ("PUT", "behaviour", 0): self._put_behaviour,
            ("PATCH", "behaviour", 0): self._patch_behaviour,
            ("GET", "faults", 0): self._tell_faults,
            ("POST", "events", 0): self._event,
            ("GET", "dns", 0): self._records,
            ("PUT", "dns", 1): self._put_records,
            ("DELETE", "dns", 1): self._remove_records,
        }

    def handle(self, request: Request) -> Answer:
        """Answers a request below `/_sandbox`.

        Raises:
            Refused: what was sent is wrong; the answer says what to do.
        """
        _, _, noun, *names = request.path.split("/")
        action = self._actions.get((request.method, noun, len(names)))
        if action is None:
            raise _refusal(404, "there is nothing here; see the module's docstring")
        return action(request, *names)

    def page(self, request: Request) -> Answer:
        """Answers a browser's GET."""
        _, *path = request.path.split("/")
        match path:
            case [""] | ["mailbox"]:
                return self._list_page(request.parameters())
            case ["mailbox", message_id]:
                message = self._mailbox.get(message_id)
                if message is not None:
                    return html_answer(message_page(message))
            case ["mailbox", message_id, "html"]:
                message = self._mailbox.get(message_id)
                if message is not None and message.html is not None:
                    return html_answer(message.html.text, HTML_PART_HEADERS)
            case ["mailbox", message_id, "attachments", place] if place.isdecimal():
                message = self._mailbox.get(message_id)
                if message is not None and int(place) < len(message.attachments):
                    file = message.attachments[int(place)]
                    return Answer(200, file.content, _DOWNLOAD)
        return html_answer(missing_page(), status=404)

    def _one_message(self, _: Request, message_id: str) -> Answer:
        return json_answer(200, self._message(message_id).details())

    def _reset(self, _: Request) -> Answer:
        self._webhooks.forget()
        self._mailbox.clear()
        return Answer(204)

    def _stats(self, _: Request) -> Answer:
        return json_answer(200, self._mailbox.stats() | {"webhooks": self._webhooks.stats()})

    def _tell_identity(self, _: Request) -> Answer:
        return json_answer(200, self._identity.public())

    def _tell_faults(self, _: Request) -> Answer:
        faults = self._mailbox.faults
        return json_answer(200, {"counts": faults.counts(), "faults": faults.entries()})

    def _behaviour_now(self, _: Request) -> Answer:
        return json_answer(200, _as_json(self._behaviour.document))

    def _put_behaviour(self, request: Request) -> Answer:
        return self._behave(_json(request))

    def _patch_behaviour(self, request: Request) -> Answer:
        return self._behave(merged(_as_json(self._behaviour.document), _json(request)))

    def _behave(self, document: JsonObject) -> Answer:
        try:
            self._behaviour.replace(Document.parse(document))
        except ConfigurationError as error:
            raise _refusal(422, str(error)) from None
        self._webhooks.retarget()
        return json_answer(200, _as_json(self._behaviour.document))

    def _messages(self, request: Request) -> Answer:
        wanted = request.parameters()
        limit, offset = _number(wanted, "limit", 100), _number(wanted, "offset", 0)
        found = self._mailbox.search(
            provider=wanted.get("provider", ""),
            to=wanted.get("to", ""),
            tidepost_id=wanted.get("tidepost_id", ""),
        )
        page = found[offset : offset + min(limit, _MAX_LIMIT)]
        return json_answer(
            200, {"total": len(found), "messages": [message.summary() for message in page]}
        )

    def _list_page(self, wanted: dict[str, str]) -> Answer:
        provider, to = wanted.get("provider", ""), wanted.get("to", "")
        found = self._mailbox.search(provider=provider, to=to)
        return html_answer(
            mailbox_page(
                found,
                self._mailbox.stats(),
                provider=provider,
                to=to,
                offset=_number(wanted, "offset", 0),
            )
        )

    def _event(self, request: Request) -> Answer:
        wanted = _json(request)
        message = self._message(str(wanted.get("message_id")))
        if wanted.get("provider", message.provider) != message.provider:
            raise _refusal(422, f"that message was accepted by {message.provider}")
        try:
            kind = Kind(str(wanted.get("type")))
        except ValueError:
            raise _refusal(422, f"type must be one of {', '.join(Kind)}") from None
        happening = made_by_hand(message, kind, wanted.get("url", ""), wanted.get("user_agent", ""))
        if not self._webhooks.post_now(message, happening, wanted.get("raw") or {}):
            raise _refusal(422, f"{message.provider} does not report {kind.value}")
        return json_answer(202, message.details())

    def _records(self, _: Request) -> Answer:
        return json_answer(200, self._zone.table())

    def _remove_records(self, _: Request, name: str) -> Answer:
        self._zone.remove(name)
        return Answer(204)

    def _put_records(self, request: Request, name: str) -> Answer:
        texts = _json(request).get("TXT")
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise _refusal(422, 'send {"TXT": ["..."]}')
        self._zone.put(name, texts)
        return json_answer(200, {"name": name, "TXT": texts})

    def _message(self, message_id: str) -> Message:
        message = self._mailbox.get(message_id)
        if message is None:
            raise _refusal(404, "there is no such message in the mailbox")
        return message


# Whatever type the sender named: a file is for saving, and no browser runs it here.
_DOWNLOAD = {"Content-Type": "application/octet-stream", "Content-Disposition": "attachment"}


def _refusal(status: int, message: str) -> Refused:
    return Refused(json_answer(status, {"error": message}))


def _as_json(document: Document) -> Any:
    return document.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _json(request: Request) -> JsonObject:
    try:
        value = json.loads(request.body)
    except ValueError:
        raise _refusal(400, "the body is not JSON") from None
    if not isinstance(value, dict):
        raise _refusal(400, "the body must be a JSON object")
    return value


def _number(wanted: dict[str, str], name: str, default: int) -> int:
    text = wanted.get(name) or str(default)
    if not text.isdecimal():
        raise _refusal(422, f"{name} must be a number, not negative")
    return int(text)
