"""Signs webhook reports as the ESPs do, with keys made for one test run."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

TOPIC_ARN = "arn:aws:sns:us-east-1:123456789012:ses-events"
CERTIFICATE_HOST = "sns.us-east-1.amazonaws.com"
CERTIFICATE_PATH = "/SimpleNotificationService-0123abcd.pem"
CERTIFICATE_URL = f"https://{CERTIFICATE_HOST}{CERTIFICATE_PATH}"


class SendGridSigner:
    """A SendGrid account's signing key."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        spki = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.public_key = base64.b64encode(spki).decode()

    def headers(self, body: bytes, timestamp: str = "1795507200") -> dict[str, str]:
        signature = self._key.sign(timestamp.encode() + body, ec.ECDSA(SHA256()))
        return {
            "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
            "x-twilio-email-event-webhook-timestamp": timestamp,
        }


class SnsSigner:
    """SNS's signing key with its certificate, valid all November 2026."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(1)
            .not_valid_before(datetime(2026, 11, 1, tzinfo=UTC))
            .not_valid_after(datetime(2026, 12, 1, tzinfo=UTC))
            .sign(self._key, SHA256())
        )
        self.pem = self.certificate.public_bytes(Encoding.PEM).decode()

    def notification(self, message: object, **changes: Any) -> dict[str, Any]:
        """A signed notification; `changes` are made before it is signed."""
        text = message if isinstance(message, str) else json.dumps(message)
        return self.signed(
            {
                "Type": "Notification",
                "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
                "TopicArn": TOPIC_ARN,
                "Message": text,
                "Timestamp": "2026-11-24T08:00:06.000Z",
                "SignatureVersion": "2",
                "SigningCertURL": CERTIFICATE_URL,
                "UnsubscribeURL": f"https://{CERTIFICATE_HOST}/?Action=Unsubscribe",
                **changes,
            }
        )

    def confirmation(self, **changes: Any) -> dict[str, Any]:
        """A signed request to confirm a subscription."""
        return self.signed(
            {
                "Type": "SubscriptionConfirmation",
                "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
                "Token": "2336412f37fb687f5d51e6e241d09c805a5a57b30d712f794cc5f6a988666d92",
                "TopicArn": TOPIC_ARN,
                "Message": "You have chosen to subscribe to the topic.",
                "SubscribeURL": f"https://{CERTIFICATE_HOST}/?Action=ConfirmSubscription",
                "Timestamp": "2026-11-24T08:00:00.000Z",
                "SignatureVersion": "2",
                "SigningCertURL": CERTIFICATE_URL,
                **changes,
            }
        )

    def signed(self, envelope: Mapping[str, Any]) -> dict[str, Any]:
        """The envelope with its signature, by SNS's documented order of fields."""
        if envelope["Type"] == "Notification":
            keys = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
        else:
            keys = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn"]
            keys.append("Type")
        text = "".join(f"{key}\n{envelope[key]}\n" for key in keys if envelope.get(key) is not None)
        algorithm = SHA1() if envelope["SignatureVersion"] == "1" else SHA256()  # noqa: S303 # SNS's
        signature = self._key.sign(text.encode(), padding.PKCS1v15(), algorithm)
        return {**envelope, "Signature": base64.b64encode(signature).decode()}


@cache
def sendgrid_signer() -> SendGridSigner:
    return SendGridSigner()


@cache
def sns_signer() -> SnsSigner:
    return SnsSigner()


def basic_auth(user: str, password: str) -> dict[str, str]:
    credential = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"authorization": f"Basic {credential}"}
