"""Identifiers: resources, subscribers, messages and the tokens in links.

Every resource id is a prefix and 20 characters that pack 12 bytes
(`cmp_06bq...`): 6 bytes of milliseconds and 6 random ones, so ids sort by
time. A subscriber's 12 bytes are instead an HMAC of workspace and address, so
the same person always has the same id and no log or link carries an address.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared.clock import Clock, to_millis
from shared.errors import ConfigurationError, ForgedToken

ID_BYTES = 12
TRANSACTIONAL_CHUNK = 2**32 - 1
"""The chunk number of a message that belongs to no campaign."""

_BODY = re.compile(r"[0-9a-v]{20}")
_UNUSED_BITS = 0b1111
"""Twenty characters hold 100 bits, of which an id has 96."""

_SHA256_BLOCK = 64
_MAC_BYTES = 11
_MESSAGE_VERSION = 1
_MESSAGE = struct.Struct(">B12s12sIH")
_LINK_MAC_BYTES = 16
_KEY_ID = re.compile(r"[A-Za-z0-9_-]+")
_UNSUBSCRIBE = b"unsubscribe\n"
_FINGERPRINT = b"fingerprint\n"
_URL_SAFE = bytes.maketrans(b"+/", b"-_")

WORKSPACE, CAMPAIGN, SUBSCRIBER, LIST, TEMPLATE, MESSAGE, JOB, API_KEY, DOMAIN, AUDIT = (
    "ws", "cmp", "sub", "lst", "tpl", "msg", "job", "key", "dom", "aud",
)  # fmt: skip
SEGMENT, SNAPSHOT = "seg", "snp"


def to_text(prefix: str, raw: bytes) -> str:
    """Twelve bytes as `<prefix>_<20 characters of lower-case base32hex>`."""
    return f"{prefix}_{base64.b32hexencode(raw).decode('ascii').rstrip('=').lower()}"


def to_bytes(identifier: str) -> bytes:
    """The twelve bytes of an id of any prefix.

    Raises:
        ForgedToken: the text is not an id of ours.
    """
    body = identifier.partition("_")[2]
    # On the hot path: base32hex is what int() reads, for a tenth of base64's function calls.
    bits = int(body, 32) if _BODY.fullmatch(body) else _UNUSED_BITS
    if bits & _UNUSED_BITS:
        raise ForgedToken("that is not an id of Tidepost's")
    return (bits >> 4).to_bytes(ID_BYTES, "big")


NOBODY = to_text(SUBSCRIBER, bytes(ID_BYTES))
"""Stands in a plan where somebody was who has been erased."""


def _hmac_begun(key: bytes, head: bytes) -> tuple[hashlib._Hash, hashlib._Hash]:
    """The inner and the outer hash of HMAC-SHA256 (RFC 2104), the inner one with `head` in it.

    For many texts that begin alike: hmac.digest would work key and head in each time.
    """
    if len(key) > _SHA256_BLOCK:
        key = hashlib.sha256(key).digest()
    padded = key.ljust(_SHA256_BLOCK, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
    inner.update(head)
    return inner, hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))


def is_id(prefix: str, text: str) -> bool:
    """Whether `text` is a well formed id with this prefix."""
    if not text.startswith(prefix + "_"):
        return False
    try:
        to_bytes(text)
    except ForgedToken:
        return False
    return True


class Ids:
    """Makes new resource ids. `random_bytes` is `os.urandom` or, in tests, seeded."""

    def __init__(self, clock: Clock, random_bytes: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._random_bytes = random_bytes

    def new(self, prefix: str) -> str:
        """A new id that sorts after those made in earlier milliseconds."""
        stamp = to_millis(self._clock.now()).to_bytes(6, "big")
        return to_text(prefix, stamp + self._random_bytes(6))


class SubscriberIds:
    """Deterministic subscriber ids. The key can never be rotated: ids would change."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, workspace: str, address: str) -> str:
        """The id of a *normalised* address in a workspace."""
        mac = hmac.digest(self._key, f"{workspace}\n{address}".encode(), "sha256")
        return to_text(SUBSCRIBER, mac[:ID_BYTES])


@dataclass(frozen=True, slots=True)
class MessageRef:
    """What a message id says: which recipient of which chunk of which campaign."""

    workspace: str
    campaign: str
    chunk: int
    index: int

    @property
    def transactional(self) -> bool:
        """Whether this is a message of its own and not one of a campaign."""
        return self.chunk == TRANSACTIONAL_CHUNK


class MessageIds:
    """Message ids are computed, never stored, and cannot be forged.

    Layout: version, workspace, campaign, chunk, index and 11 bytes of
    HMAC-SHA256: 42 bytes, 56 characters of `[A-Za-z0-9_-]`, which every ESP
    takes as a custom argument, metadata value or tag. For a transactional
    message the place of the campaign is taken by the message's own 12 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def maker(self, workspace: str, campaign: str, chunk: int) -> Callable[[int], str]:
        """A function from index to message id, for one chunk (the hot path)."""
        ids = to_bytes(workspace), to_bytes(campaign)
        head = _MESSAGE.pack(_MESSAGE_VERSION, *ids, chunk, 0)[:-2]
        begun, outer = _hmac_begun(self._key, head)

        def make(index: int) -> str:
            tail = index.to_bytes(2, "big")
            inner, mac = begun.copy(), outer.copy()
            inner.update(tail)
            mac.update(inner.digest())
            raw = head + tail + mac.digest()[:_MAC_BYTES]
            return binascii.b2a_base64(raw, newline=False).translate(_URL_SAFE).decode()

        return make

    def make(self, ref: MessageRef) -> str:
        """The id of one message."""
        return self.maker(ref.workspace, ref.campaign, ref.chunk)(ref.index)

    def parse(self, text: str) -> MessageRef:
        """What a message id says.

        Raises:
            ForgedToken: it is malformed or its MAC is not ours.
        """
        try:
            raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise ForgedToken("that is not a message id of Tidepost's") from error
        body, mac = raw[: _MESSAGE.size], raw[_MESSAGE.size :]
        good = hmac.digest(self._key, body, "sha256")[:_MAC_BYTES]
        if len(body) != _MESSAGE.size or not hmac.compare_digest(mac, good):
            raise ForgedToken("that is not a message id of Tidepost's")
        version, workspace, campaign, chunk, index = _MESSAGE.unpack(body)
        if version != _MESSAGE_VERSION:
            raise ForgedToken("that message id is of a version this release does not know")
        return MessageRef(to_text(WORKSPACE, workspace), to_text(CAMPAIGN, campaign), chunk, index)


class LinkKeys:
    """The keys that sign tokens in links: opaque to their readers, and forgery-proof.

    A token starts with the id of the key that made it, so that keys can be
    rotated while every link ever mailed keeps working. The `purpose` is signed
    too, so that a token of one is none of another. Raises ConfigurationError if
    `current` is not among the keys, or an id of one cannot stand in a link.
    """

    def __init__(self, keys: Mapping[str, bytes], current: str) -> None:
        unfit = sorted(kid for kid in keys if not _KEY_ID.fullmatch(kid))
        if unfit or current not in keys:
            raise ConfigurationError(
                f"the link keys are {sorted(keys)} and the current one is {current!r}: it must be"
                " one of them, and their ids may hold letters, digits, '-' and '_' alone, since"
                " they stand in every link"
            )
        self._keys = dict(keys)
        self._current = current

    def signer(self, purpose: bytes, head: bytes = b"") -> Callable[[bytes], str]:
        """A function from the rest of a body to `<key id>.<base64url of body and MAC>`.

        All bodies begin with `head` (the hot path signs many).
        """
        kid, key = self._current, self._keys[self._current]
        begun, outer = _hmac_begun(key, purpose + head)

        def sign(rest: bytes) -> str:
            inner, mac = begun.copy(), outer.copy()
            inner.update(rest)
            mac.update(inner.digest())
            raw = head + rest + mac.digest()[:_LINK_MAC_BYTES]
            text = binascii.b2a_base64(raw, newline=False).translate(_URL_SAFE).decode()
            return f"{kid}.{text}"

        return sign

    def open(self, purpose: bytes, token: str, size: int) -> bytes:
        """The body, of `size` bytes.

        Raises:
            ForgedToken: malformed, of an unknown key or another purpose, or the
                MAC is not ours.
        """
        kid, _, text = token.partition(".")
        key = self._keys.get(kid)
        try:
            raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise ForgedToken("that link is not one of ours") from error
        body, mac = raw[:size], raw[size:]
        if key is None or len(body) != size:
            raise ForgedToken("that link is not one of ours")
        good = hmac.digest(key, purpose + body, "sha256")[:_LINK_MAC_BYTES]
        if not hmac.compare_digest(mac, good):
            raise ForgedToken("that link is not one of ours")
        return body

    def fingerprint(self, text: str) -> str:
        """What stands for a text that is not to be stored; another key gives another."""
        mac = hmac.digest(self._keys[self._current], _FINGERPRINT + text.encode(), "sha256")
        return mac[:_LINK_MAC_BYTES].hex()


@dataclass(frozen=True, slots=True)
class UnsubscribeRef:
    """Whom an unsubscribe link is for, and from what: one list, or everything (None)."""

    workspace: str
    subscriber: str
    campaign: str
    list_id: str | None


class UnsubscribeTokens:
    """Tokens in unsubscribe links, which never expire. Raises as `LinkKeys`.

    The same token opens the person's preference centre: both links stand in the
    same mail, so whoever has the one has the other.
    """

    _SIZE = 4 * ID_BYTES

    def __init__(self, keys: Mapping[str, bytes], current: str) -> None:
        self._keys = LinkKeys(keys, current)

    def maker(self, workspace: str, campaign: str, list_id: str | None) -> Callable[[str], str]:
        """A function from subscriber id to token, for one campaign (the hot path)."""
        sign = self._keys.signer(_UNSUBSCRIBE, to_bytes(workspace))
        tail = to_bytes(campaign) + (to_bytes(list_id) if list_id else bytes(ID_BYTES))
        return lambda subscriber: sign(to_bytes(subscriber) + tail)

    def make(self, ref: UnsubscribeRef) -> str:
        """The token of one person."""
        return self.maker(ref.workspace, ref.campaign, ref.list_id)(ref.subscriber)

    def parse(self, token: str) -> UnsubscribeRef:
        """Whom the token is for.

        Raises:
            ForgedToken: malformed, of an unknown key, or the MAC is not ours.
        """
        body = self._keys.open(_UNSUBSCRIBE, token, self._SIZE)
        parts = [body[i : i + ID_BYTES] for i in range(0, self._SIZE, ID_BYTES)]
        list_id = None if parts[3] == bytes(ID_BYTES) else to_text(LIST, parts[3])
        return UnsubscribeRef(
            to_text(WORKSPACE, parts[0]),
            to_text(SUBSCRIBER, parts[1]),
            to_text(CAMPAIGN, parts[2]),
            list_id,
        )
