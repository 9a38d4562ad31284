"""The SNS envelope in which SES's events come: reading it and verifying who signed it.

A valid signature alone proves little, since anybody's topic carries one: the
topic must be on the allow-list too.

Rules: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.x509 import Certificate

from shared.clock import Clock
from shared.errors import BadPayload, BadSignature
from shared.providers import fields

NOTIFICATION = "Notification"
SUBSCRIPTION_CONFIRMATION = "SubscriptionConfirmation"
UNSUBSCRIBE_CONFIRMATION = "UnsubscribeConfirmation"

_NOTIFICATION_KEYS = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION_KEYS = (
    "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type",
)  # fmt: skip
_SIGNED_KEYS = {
    NOTIFICATION: _NOTIFICATION_KEYS,
    SUBSCRIPTION_CONFIRMATION: _CONFIRMATION_KEYS,
    UNSUBSCRIBE_CONFIRMATION: _CONFIRMATION_KEYS,
}
_OPTIONAL = "Subject"

CertificateLoader = Callable[[str, str], Certificate]
"""From SigningCertURL and TopicArn to the certificate.

Raises:
    BadSignature: no certificate of SNS's can be at that URL.
    DependencyUnavailable: it could not be fetched just now.
"""


@dataclass(frozen=True, slots=True)
class Envelope:
    """An SNS envelope, as yet unverified. `values` are its fields that are text."""

    values: dict[str, str]

    @property
    def type(self) -> str:
        """Notification, SubscriptionConfirmation or UnsubscribeConfirmation."""
        return self.values.get("Type", "")

    @property
    def topic_arn(self) -> str:
        """The topic it says it comes from."""
        return self.values.get("TopicArn", "")

    @property
    def message(self) -> str:
        """What the topic's publisher wrote."""
        return self.values.get("Message", "")

    @property
    def token(self) -> str:
        """Confirms a subscription; empty for notifications."""
        return self.values.get("Token", "")

    def string_to_sign(self) -> bytes:
        """Each signed field as a line of its name and one of its value, in SNS's order.

        Raises:
            BadSignature: a field that is always signed is missing.
        """
        keys = _SIGNED_KEYS.get(self.type)
        if keys is None:
            raise BadSignature("the envelope is of no Type that SNS signs")
        missing = [key for key in keys if key not in self.values and key != _OPTIONAL]
        if missing:
            raise BadSignature(f"the envelope lacks what SNS always signs: {', '.join(missing)}")
        lines = [f"{key}\n{self.values[key]}\n" for key in keys if key in self.values]
        return "".join(lines).encode("utf-8", "surrogatepass")


def read_envelope(body: bytes) -> Envelope:
    """The envelope that SNS posts or puts into a queue.

    Raises:
        BadPayload: it is not a JSON object.
    """
    document: Any = fields.decode(body)
    if not isinstance(document, dict):
        raise BadPayload("SNS sends one JSON object, and this is none; turn raw delivery off")
    return Envelope({key: value for key, value in document.items() if isinstance(value, str)})


class SnsVerifier:
    """Lets through envelopes of the allowed topics whose signature verifies."""

    def __init__(
        self, topic_arns: Collection[str], certificate: CertificateLoader, clock: Clock
    ) -> None:
        self._topic_arns = frozenset(topic_arns)
        self._certificate = certificate
        self._clock = clock

    def verify(self, envelope: Envelope) -> None:
        """Returns if the envelope is genuine and of a topic of ours.

        Raises:
            BadSignature: it is not.
            DependencyUnavailable: the certificate could not be had just now.
        """
        if envelope.topic_arn not in self._topic_arns:
            raise BadSignature(
                "the envelope's topic is not among the topic_arns of this provider;"
                " if it is yours, add it to providers.json"
            )
        signed = envelope.string_to_sign()
        version = envelope.values.get("SignatureVersion", "")
        if version not in {"1", "2"}:
            raise BadSignature("the envelope's SignatureVersion is neither 1 nor 2")
        try:
            signature = base64.b64decode(envelope.values.get("Signature", ""), validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadSignature("the envelope's Signature is not base64") from error
        certificate = self._certificate(
            envelope.values.get("SigningCertURL", ""), envelope.topic_arn
        )
        now = self._clock.now()
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            raise BadSignature("the certificate that signed the envelope is not valid today")
        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey):
            raise BadSignature("the certificate that signed the envelope has no RSA key")
        # Version 1 is SHA-1 by SNS's definition; set the topic to version 2 to be rid of it.
        algorithm = SHA256() if version == "2" else SHA1()  # noqa: S303 - the protocol's choice
        try:
            key.verify(signature, signed, PKCS1v15(), algorithm)
        except InvalidSignature as error:
            raise BadSignature("the envelope's signature is wrong") from error
