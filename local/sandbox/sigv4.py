"""Checks AWS Signature Version 4, written from AWS's description of it."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

from local.sandbox.wire import Request

_HEADER = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/\s]+)/(\d{8})/([a-z0-9-]+)/([a-z0-9]+)/aws4_request,\s*"
    r"SignedHeaders=([a-z0-9;-]+),\s*Signature=([0-9a-f]{64})"
)
_SKEW = timedelta(minutes=5)


class BadAuthorization(Exception):
    """The request is not rightly signed; carries AWS's error code."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def check(request: Request, service: str, secrets: Mapping[str, str], now: datetime) -> None:
    """Checks form, scope and time, and the signature itself if the secret is known.

    Raises:
        BadAuthorization: says what is wrong, in AWS's words.
    """
    given = request.headers.get("authorization")
    if given is None:
        raise BadAuthorization(
            "MissingAuthenticationTokenException", "Missing Authentication Token"
        )
    match = _HEADER.fullmatch(given)
    if match is None:
        raise BadAuthorization(
            "IncompleteSignatureException", "The Authorization header is not of Signature V4."
        )
    access_key, day, region, scope_service, signed, signature = match.groups()
    if scope_service != service:
        raise BadAuthorization(
            "InvalidSignatureException", f"Credential should be scoped to service '{service}'."
        )
    stamp = _stamp(request, day, now)
    if "host" not in signed.split(";"):
        raise BadAuthorization("InvalidSignatureException", "'Host' must be a signed header.")
    secret = secrets.get(access_key)
    if secret is None:
        return
    scope = f"{day}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(_canonical(request, signed).encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    told = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    if not hmac.compare_digest(hmac.digest(key, told.encode(), "sha256").hex(), signature):
        raise BadAuthorization(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided.",
        )


def _stamp(request: Request, day: str, now: datetime) -> str:
    stamp = request.headers.get("x-amz-date", "")
    try:
        at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise BadAuthorization(
            "IncompleteSignatureException", "The header X-Amz-Date is missing or malformed."
        ) from None
    if not stamp.startswith(day) or abs(now - at) > _SKEW:
        raise BadAuthorization("InvalidSignatureException", "Signature expired or not yet current.")
    return stamp


def _canonical(request: Request, signed: str) -> str:
    pairs = sorted(
        tuple(quote(unquote(piece), safe="-_.~") for piece in (name, value))
        for name, _, value in (part.partition("=") for part in request.query.split("&") if part)
    )
    names = signed.split(";")
    return "\n".join(
        (
            request.method,
            quote(request.path, safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{' '.join(request.headers.get(name, '').split())}" for name in names),
            "",
            signed,
            hashlib.sha256(request.body).hexdigest(),
        )
    )
