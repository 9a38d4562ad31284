"""The yardstick: the leanest pipeline that mails whole messages, for chunks of 100.

Row "lean" of the measurements that Tidepost started from: parse the queue
message, claim the chunk (one write), render each mail with minijinja, post all
of them in one Postmark batch on a connection that stays open, record the
outcome (one write), with SigV4 by hand and orjson. It does nothing else: the
people come in the queue message and are not read again, nobody is routed, no
tokens are taken, no link is signed, nothing can be resumed.
"""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPSConnection
from urllib.parse import urlsplit

import orjson
from botocore.credentials import ReadOnlyCredentials
from minijinja import Environment

from benchmarks.mail import SENDER_DOMAIN, template
from shared.sigv4 import Signer

LEAN_CHUNK = 100
TABLE = "messages"

_CREDENTIALS = ReadOnlyCredentials("bench", "bench", None)
_TIMEOUT_S = 10


class Lean:
    """One worker of that pipeline. The table is that of `benchmarks.sdks`."""

    def __init__(self, cloud_url: str, esp_url: str) -> None:
        source = template()
        self._environment = Environment(keep_trailing_newline=True)
        for name, part in (("s.txt", source.subject), ("h.html", source.html)):
            self._environment.add_template(name, part)
        self._environment.add_template("t.txt", source.text)
        cloud, esp = urlsplit(cloud_url), urlsplit(esp_url)
        self._cloud = HTTPConnection(cloud.netloc, timeout=_TIMEOUT_S)
        tls = ssl.create_default_context()
        self._esp = HTTPSConnection(esp.netloc, timeout=_TIMEOUT_S, context=tls)
        self._signer = Signer("dynamodb", "us-east-1", cloud.netloc)
        self._esp_headers = {"X-Postmark-Server-Token": "x", "Content-Type": "application/json"}

    def handle(self, body: bytes) -> None:
        """`body`: `{"chunk": id, "messages": [{"subscriber": ..., "unsubscribe_url": ...}]}`.

        Raises:
            RuntimeError: something was not accepted.
        """
        chunk = orjson.loads(body)
        key = {"pk": {"S": chunk["chunk"]}}
        self._write("PutItem", Item={**key, "state": {"S": "claimed"}})
        render = self._environment.render_template
        mails = [
            {
                "From": f"hello@{SENDER_DOMAIN}",
                "To": message["subscriber"]["email"],
                "Subject": render("s.txt", **message),
                "HtmlBody": render("h.html", **message),
                "TextBody": render("t.txt", **message),
            }
            for message in chunk["messages"]
        ]
        self._esp.request("POST", "/email/batch", orjson.dumps(mails), self._esp_headers)
        answer = orjson.loads(self._esp.getresponse().read())
        if any(one["ErrorCode"] for one in answer) or len(answer) != len(mails):
            raise RuntimeError("the stub did not accept a chunk")
        self._write("PutItem", Item={**key, "state": {"S": "accepted"}})

    def _write(self, operation: str, **arguments: object) -> None:
        body = orjson.dumps({"TableName": TABLE, **arguments})
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": f"DynamoDB_20120810.{operation}",
        }
        signed = self._signer.sign(_CREDENTIALS, datetime.now(UTC), "/", body, headers)
        self._cloud.request("POST", "/", body, signed)
        answer = self._cloud.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"a write was answered with {answer.status}")
