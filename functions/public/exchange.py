"""A request as the pages need it, and what is answered (HTTP API, payload 2.0)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, unquote

from shared.audience.circumstances import Circumstances
from shared.errors import ForgedToken

MAX_FORM = 100_000
"""Characters of a form of ours, and far more; a longer body is no form of ours."""

MAX_FIELDS = 2_000
_MAX_USER_AGENT = 300
_PATH = re.compile(r"/([cpsu])/([^/]*)\Z")


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `page` is the path's letter, `client` whom it is said to come from."""

    method: str
    page: str
    token: str
    form: Mapping[str, Sequence[str]]
    language: str
    accept_language: str
    client: str
    peer: str
    user_agent: str

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Request:
        """From the event; `page` is empty if the path is none of ours."""
        found = _PATH.search(event["rawPath"])
        headers: Mapping[str, str] = event.get("headers") or {}
        http: Mapping[str, str] = event["requestContext"]["http"]
        peer = http.get("sourceIp", "")
        return cls(
            method=http["method"],
            page=found[1] if found else "",
            token=unquote(found[2]) if found else "",
            form=_form(event),
            language=(event.get("queryStringParameters") or {}).get("lang", ""),
            accept_language=headers.get("accept-language", ""),
            client=_client(headers, peer),
            peer=peer,
            user_agent=http.get("userAgent", "")[:_MAX_USER_AGENT],
        )

    @property
    def reads(self) -> bool:
        """Whether it only looks: scanners open links, so a GET changes nothing."""
        return self.method in {"GET", "HEAD"}

    def field(self, name: str) -> str:
        """A form field's one value; empty if there is none."""
        return (self.form.get(name) or [""])[0]

    def circumstances(self, how: str, text_version: str | None) -> Circumstances:
        """Of a change of consent that the person makes by this request."""
        return Circumstances(
            how,
            ip=self.client or None,
            user_agent=self.user_agent or None,
            text_version=text_version,
            actor=None,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered; `outcome` is for log and metrics."""

    outcome: str
    status: HTTPStatus
    page: str
    logo_origin: str = ""
    workspace: str = ""
    campaign: str = ""


def forged() -> ForgedToken:
    """For a path that is none of ours."""
    return ForgedToken("that link is not one of ours")


def _client(headers: Mapping[str, str], peer: str) -> str:
    """The viewer's address. CloudFront puts it last, and the gateway adds CloudFront's own."""
    passed = [one.strip() for one in headers.get("x-forwarded-for", "").split(",")]
    if "x-amz-cf-id" in headers and len(passed) > 1:
        return passed[-2]
    return peer


def _form(event: Mapping[str, Any]) -> Mapping[str, Sequence[str]]:
    """The fields; none if the body is no form of ours."""
    body: str = event.get("body") or ""
    if len(body) > MAX_FORM:
        return {}
    try:
        if event.get("isBase64Encoded"):
            body = base64.b64decode(body).decode()
        return parse_qs(body, max_num_fields=MAX_FIELDS)
    except (binascii.Error, ValueError):
        return {}
