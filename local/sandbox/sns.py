"""SNS as far as SES needs it: signed envelopes, the subscription handshake, delivery."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import uuid
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode
from xml.sax.saxutils import escape

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from local.sandbox import sigv4
from local.sandbox.behaviour import Webhook
from local.sandbox.identity import AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, Identity
from local.sandbox.poster import Poster
from local.sandbox.wire import Answer, JsonObject, Request
from shared.clock import Clock, to_iso

_CONFIRM_LOOKS, _CONFIRM_LOOK_S = 50, 0.1  # five seconds, cut short by a stop
_NAMESPACE = "http://sns.amazonaws.com/doc/2010-03-31/"
_SIGNED_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_SIGNED_CONFIRMATION = (
    "Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type",
)  # fmt: skip


class Topic:
    """The topic that SES publishes to, with one subscription."""

    def __init__(
        self, identity: Identity, clock: Clock, random_bytes: Callable[[int], bytes]
    ) -> None:
        self._key: rsa.RSAPrivateKey = identity.sns_key
        self._clock = clock
        self._random_bytes = random_bytes
        self.arn = identity.topic_arn
        self.certificate_pem = identity.sns_certificate_pem
        self._region = self.arn.split(":")[3]
        self._host = f"https://sns.{self._region}.amazonaws.com"
        name = hashlib.sha256(self.certificate_pem.encode()).hexdigest()[:32]
        self._certificate_url = f"{self._host}/SimpleNotificationService-{name}.pem"
        self._subscription_arn = f"{self.arn}:{uuid.UUID(bytes=random_bytes(16), version=4)}"
        self._handshake = threading.Lock()
        self._token = ""
        self._confirmed = threading.Event()
        self._subscribed_url = ""
        self._queues: dict[str, Any] = {}

    def new_id(self) -> str:
        """A new message id, as hex."""
        return self._random_bytes(16).hex()

    def notification(
        self,
        message: str,
        *,
        subject: str,
        message_id: str,
        at: datetime,
        version: Literal["1", "2"],
    ) -> bytes:
        """A signed Notification. `message_id` is 32 hex digits."""
        unsubscribe = {"Action": "Unsubscribe", "SubscriptionArn": self._subscription_arn}
        return self._signed(
            {
                "Type": "Notification",
                "MessageId": str(uuid.UUID(message_id)),
                "TopicArn": self.arn,
                "Subject": subject,
                "Message": message,
                "Timestamp": to_iso(at),
                "UnsubscribeURL": f"{self._host}/?{urlencode(unsubscribe)}",
            },
            _SIGNED_NOTIFICATION,
            version,
        )

    def subscribe(self, target: Webhook, poster: Poster, stopping: threading.Event) -> bool:
        """Whether the endpoint has confirmed its subscription; asks it to, if it has not."""
        with self._handshake:
            if self._subscribed_url == target.url or stopping.is_set():
                return self._subscribed_url == target.url
            self._confirmed.clear()
            self._token = self._random_bytes(64).hex()
            body = self._confirmation(target.signature_version)
            headers = self._headers("SubscriptionConfirmation", json.loads(body)["MessageId"])
            if not 200 <= poster.post(target.url, body, headers) < 300:
                return False
            for _ in range(_CONFIRM_LOOKS):
                if self._confirmed.wait(_CONFIRM_LOOK_S) or stopping.is_set():
                    break
            if not self._confirmed.is_set():
                return False
            self._subscribed_url = target.url
            return True

    def post(self, target: Webhook, body: bytes, poster: Poster) -> bool:
        """Posts one notification to a confirmed endpoint."""
        headers = self._headers("Notification", json.loads(body)["MessageId"])
        headers["x-amz-sns-subscription-arn"] = self._subscription_arn
        return 200 <= poster.post(target.url, body, headers) < 300

    def enqueue(self, target: Webhook, bodies: Sequence[bytes]) -> bool:
        """Puts up to ten notifications into an SQS queue, as the message bodies."""
        entries = [
            {"Id": str(number), "MessageBody": body.decode()} for number, body in enumerate(bodies)
        ]
        try:
            answer = self._queue(target).send_message_batch(QueueUrl=target.url, Entries=entries)
        except (BotoCoreError, ClientError):
            return False
        return not answer.get("Failed")

    def handle(self, request: Request) -> Answer:
        """Answers the Query API: ConfirmSubscription and nothing else."""
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        if "authorization" in request.headers:
            secrets = {AWS_ACCESS_KEY_ID: AWS_SECRET_ACCESS_KEY}
            try:
                sigv4.check(request, "sns", secrets, self._clock.now())
            except sigv4.BadAuthorization as error:
                return self._error(403, error.code.removesuffix("Exception"), str(error))
        if form.get("Action") != "ConfirmSubscription":
            return self._error(400, "InvalidAction", "Only ConfirmSubscription is answered here.")
        if form.get("TopicArn") != self.arn:
            return self._error(404, "NotFound", "Topic does not exist")
        if not self._token or form.get("Token") != self._token:
            return self._error(400, "InvalidParameter", "Invalid parameter: Token")
        self._confirmed.set()
        return self._xml(
            200,
            f'<ConfirmSubscriptionResponse xmlns="{_NAMESPACE}"><ConfirmSubscriptionResult>'
            f"<SubscriptionArn>{self._subscription_arn}</SubscriptionArn>"
            "</ConfirmSubscriptionResult>"
            f"<ResponseMetadata><RequestId>{self._request_id()}</RequestId></ResponseMetadata>"
            "</ConfirmSubscriptionResponse>",
        )

    def _confirmation(self, version: Literal["1", "2"]) -> bytes:
        action = {"Action": "ConfirmSubscription", "TopicArn": self.arn, "Token": self._token}
        return self._signed(
            {
                "Type": "SubscriptionConfirmation",
                "MessageId": self._request_id(),
                "Token": self._token,
                "TopicArn": self.arn,
                "Message": f"You have chosen to subscribe to the topic {self.arn}.\nTo confirm the"
                " subscription, visit the SubscribeURL included in this message.",
                "SubscribeURL": f"{self._host}/?{urlencode(action)}",
                "Timestamp": to_iso(self._clock.now()),
            },
            _SIGNED_CONFIRMATION,
            version,
        )

    def _signed(
        self, envelope: JsonObject, names: Sequence[str], version: Literal["1", "2"]
    ) -> bytes:
        told = "".join(f"{name}\n{envelope[name]}\n" for name in names)
        # SNS itself offers SHA-1 as version 1: receivers must be tried with both.
        digest = hashes.SHA1() if version == "1" else hashes.SHA256()  # noqa: S303 -- see above
        signature = self._key.sign(told.encode(), padding.PKCS1v15(), digest)
        envelope |= {
            "SignatureVersion": version,
            "Signature": base64.b64encode(signature).decode("ascii"),
            "SigningCertURL": self._certificate_url,
        }
        return json.dumps(envelope, ensure_ascii=False, indent=2).encode()

    def _headers(self, kind: str, message_id: str) -> dict[str, str]:
        return {
            "Content-Type": "text/plain; charset=UTF-8",
            "User-Agent": "Amazon Simple Notification Service Agent",
            "x-amz-sns-message-type": kind,
            "x-amz-sns-message-id": message_id,
            "x-amz-sns-topic-arn": self.arn,
        }

    def _queue(self, target: Webhook) -> Any:
        endpoint = target.endpoint_url
        with self._handshake:
            if endpoint not in self._queues:
                self._queues[endpoint] = boto3.session.Session().client(
                    "sqs",
                    endpoint_url=endpoint or None,
                    region_name=self._region,
                    aws_access_key_id=AWS_ACCESS_KEY_ID,
                    aws_secret_access_key=AWS_SECRET_ACCESS_KEY,
                    config=Config(connect_timeout=3, read_timeout=10, max_pool_connections=8),
                )
            return self._queues[endpoint]

    def _error(self, status: int, code: str, message: str) -> Answer:
        return self._xml(
            status,
            f'<ErrorResponse xmlns="{_NAMESPACE}"><Error><Type>Sender</Type><Code>{code}</Code>'
            f"<Message>{escape(message)}</Message></Error>"
            f"<RequestId>{self._request_id()}</RequestId></ErrorResponse>",
        )

    def _request_id(self) -> str:
        return str(uuid.UUID(bytes=self._random_bytes(16), version=4))

    def _xml(self, status: int, text: str) -> Answer:
        return Answer(status, text.encode(), {"Content-Type": "text/xml"})
