"""The yardstick: one message at a time, through each ESP's official SDK.

What a plain implementation does for each message: parse the queue message,
claim it (a PynamoDB write), render with Jinja2, send, record (a PynamoDB
write). It does not read the person again, which ours does.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from jinja2 import Environment
from postmarker.core import PostmarkClient
from pynamodb.attributes import UnicodeAttribute
from pynamodb.models import Model
from sendgrid import SendGridAPIClient
from sendgrid.helpers import mail as sg

from benchmarks.mail import SENDER_DOMAIN, template

SENDER = f"hello@{SENDER_DOMAIN}"

if TYPE_CHECKING:
    from mypy_boto3_sesv2.type_defs import BodyTypeDef

Send = Callable[[str, str, str, str], object]
"""Address, subject, HTML and text."""


class MessageItem(Model):
    """One message, as an implementation that works message by message keeps it.

    A plain PynamoDB model: nothing that makes our own stores cheap helps it.
    """

    class Meta:
        """Where it is; the environment says the rest."""

        table_name = "messages"

    pk = UnicodeAttribute(hash_key=True)
    state = UnicodeAttribute()


class OneByOne:
    """Sends messages one after the other."""

    def __init__(self, provider: str, esp_url: str) -> None:
        source = template()
        environment = Environment(autoescape=True)
        self._parts = [environment.from_string(part) for part in (source.subject, source.html)]
        self._parts.append(Environment(autoescape=False).from_string(source.text))  # noqa: S701 - text
        self._send = _SENDERS[provider](esp_url)
        MessageItem.create_table(billing_mode="PAY_PER_REQUEST", wait=True)

    def handle(self, body: str) -> None:
        """`body`: `{"subscriber": ..., "unsubscribe_url": ...}`, as in the queue."""
        message = json.loads(body)
        item = MessageItem(uuid.uuid4().hex, state="claimed")
        item.save(MessageItem.pk.does_not_exist())
        subject, html, text = (part.render(**message) for part in self._parts)
        self._send(message["subscriber"]["email"], subject, html, text)
        item.state = "accepted"
        item.save(MessageItem.state == "claimed")


def _sendgrid(esp_url: str) -> Send:
    client = SendGridAPIClient("bench", host=esp_url)

    def send(address: str, subject: str, html: str, text: str) -> object:
        return client.send(sg.Mail(SENDER, address, subject, text, html))

    return send


def _postmark(esp_url: str) -> Send:
    client = PostmarkClient(server_token="bench", root_api_url=esp_url + "/")  # noqa: S106 - none

    def send(address: str, subject: str, html: str, text: str) -> object:
        return client.emails.send(
            From=SENDER, To=address, Subject=subject, HtmlBody=html, TextBody=text
        )

    return send


def _ses(esp_url: str) -> Send:
    config = Config(retries={"total_max_attempts": 1})
    client = boto3.client("sesv2", endpoint_url=esp_url, config=config)

    def send(address: str, subject: str, html: str, text: str) -> object:
        body: BodyTypeDef = {"Html": {"Data": html}, "Text": {"Data": text}}
        return client.send_email(
            FromEmailAddress=SENDER,
            Destination={"ToAddresses": [address]},
            Content={"Simple": {"Subject": {"Data": subject}, "Body": body}},
        )

    return send


_SENDERS = {"sendgrid": _sendgrid, "postmark": _postmark, "ses": _ses}
