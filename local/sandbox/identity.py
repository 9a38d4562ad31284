"""The keys and credentials of the three pretended ESP accounts, kept over restarts."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from local.sandbox.wire import JsonObject
from shared.clock import Clock
from shared.errors import ConfigurationError

AWS_ACCESS_KEY_ID = AWS_SECRET_ACCESS_KEY = "test"  # noqa: S105 -- the local cloud's, not a secret
TOPIC_ARN = "arn:aws:sns:us-east-1:000000000000:tidepost-ses-events"
IDENTITY_FILE = "identity.json"
_KEYS_FILE = "keys.json"
_DAYS_VALID = 3650
_KEPT = (
    "sns_certificate_pem",
    "sendgrid_api_key",
    "postmark_server_token",
    "postmark_webhook_user",
    "postmark_webhook_password",
    "topic_arn",
)


@dataclass(frozen=True, slots=True)
class Identity:
    """What the sandbox signs with, and which credentials it expects and presents."""

    sendgrid_key: ec.EllipticCurvePrivateKey
    sns_key: rsa.RSAPrivateKey
    sns_certificate_pem: str
    sendgrid_api_key: str
    postmark_server_token: str
    postmark_webhook_user: str
    postmark_webhook_password: str
    topic_arn: str = TOPIC_ARN

    def public(self) -> JsonObject:
        """What a deployment must know to talk to the sandbox: the content of identity.json."""
        spki = self.sendgrid_key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return {
            "sendgrid_public_key": base64.b64encode(spki).decode("ascii"),
            "sns_certificate_pem": self.sns_certificate_pem,
            "topic_arn": self.topic_arn,
            "sendgrid_api_key": self.sendgrid_api_key,
            "postmark_server_token": self.postmark_server_token,
            "postmark_webhook_user": self.postmark_webhook_user,
            "postmark_webhook_password": self.postmark_webhook_password,
            "aws_access_key_id": AWS_ACCESS_KEY_ID,
            "aws_secret_access_key": AWS_SECRET_ACCESS_KEY,
        }


def make_identity(clock: Clock, random_bytes: Callable[[int], bytes]) -> Identity:
    """A new identity. The keys themselves come from the operating system's generator."""
    sns_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return Identity(
        sendgrid_key=ec.generate_private_key(ec.SECP256R1()),
        sns_key=sns_key,
        sns_certificate_pem=_certificate(sns_key, clock),
        sendgrid_api_key=f"SG.{random_bytes(11).hex()}.{random_bytes(16).hex()}",
        postmark_server_token=random_bytes(16).hex(),
        postmark_webhook_user="postmark",
        postmark_webhook_password=random_bytes(16).hex(),
    )


def load_identity(state_dir: Path, clock: Clock, random_bytes: Callable[[int], bytes]) -> Identity:
    """The identity kept in `state_dir`; a new one is made and kept if there is none.

    Raises:
        ConfigurationError: the files are damaged.
    """
    keys, told = state_dir / _KEYS_FILE, state_dir / IDENTITY_FILE
    if keys.exists() and told.exists():
        return _read(keys, told)
    identity = make_identity(clock, random_bytes)
    state_dir.mkdir(parents=True, exist_ok=True)
    _write(keys, {"sendgrid": _pem(identity.sendgrid_key), "sns": _pem(identity.sns_key)})
    _write(told, identity.public())
    return identity


def _read(keys: Path, told: Path) -> Identity:
    damaged = ConfigurationError(
        f"{keys.name} or {told.name} in the sandbox's state directory is damaged;"
        " delete both and start again"
    )
    try:
        private = json.loads(keys.read_text())
        public = json.loads(told.read_text())
        sendgrid_key = serialization.load_pem_private_key(private["sendgrid"].encode(), None)
        sns_key = serialization.load_pem_private_key(private["sns"].encode(), None)
        kept = {name: public[name] for name in _KEPT}
    except (ValueError, KeyError, TypeError) as error:
        raise damaged from error
    if not isinstance(sendgrid_key, ec.EllipticCurvePrivateKey):
        raise damaged
    if not isinstance(sns_key, rsa.RSAPrivateKey):
        raise damaged
    return Identity(sendgrid_key=sendgrid_key, sns_key=sns_key, **kept)


def _write(path: Path, value: JsonObject) -> None:
    path.touch(mode=0o600)
    path.write_text(json.dumps(value, indent=2) + "\n")


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode("ascii")


def _certificate(key: rsa.RSAPrivateKey, clock: Clock) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = clock.now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_DAYS_VALID))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
