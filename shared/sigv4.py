"""AWS Signature Version 4 for a POST, in a few function calls (botocore's makes 500).

Source: "Create a signed AWS API request" in the IAM user guide.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Protocol
from urllib.parse import quote

_ALGORITHM = "AWS4-HMAC-SHA256"
_KEYS_KEPT = 16


class Credentials(Protocol):
    """Such as botocore's `ReadOnlyCredentials`."""

    @property
    def access_key(self) -> str | None:
        """Public half."""
        ...

    @property
    def secret_key(self) -> str | None:
        """Secret half."""
        ...

    @property
    def token(self) -> str | None:
        """Of a role's session."""
        ...


class Signer:
    """Signs POSTs to one service in one region. `host` as in the Host header."""

    def __init__(self, service: str, region: str, host: str) -> None:
        self._service = service
        self._region = region
        self._host = host

    def sign(
        self,
        credentials: Credentials,
        now: datetime,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
    ) -> dict[str, str]:
        """`headers` with those of the signature. Names are lower case and values one line."""
        stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{stamp[:8]}/{self._region}/{self._service}/aws4_request"
        signed = {**headers, "host": self._host, "x-amz-date": stamp}
        if credentials.token:
            signed["x-amz-security-token"] = credentials.token
        names = sorted(signed)
        listed = ";".join(names)
        lines = "\n".join([f"{name}:{signed[name]}" for name in names])
        canonical = f"POST\n{quote(path)}\n\n{lines}\n\n{listed}\n{sha256(body).hexdigest()}"
        digest = sha256(canonical.encode()).hexdigest()
        text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{digest}".encode()
        key = _key(credentials.secret_key or "", stamp[:8], self._region, self._service)
        signature = hmac.digest(key, text, "sha256").hex()
        signed["authorization"] = (
            f"{_ALGORITHM} Credential={credentials.access_key}/{scope},"
            f" SignedHeaders={listed}, Signature={signature}"
        )
        return signed


@lru_cache(maxsize=_KEYS_KEPT)
def _key(secret: str, *parts: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (*parts, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
