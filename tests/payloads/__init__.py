"""Webhook bodies as the ESPs post them, one file an event.

SendGrid's files are the arrays as posted, Postmark's the objects, and SES's
the JSON in the SNS envelope's Message. All are about one message of ours.
"""

from __future__ import annotations

from pathlib import Path

from shared.ids import MessageRef

KEY = b"the message id key of the tests"
REF = MessageRef("ws_etnn4qrje1gm6p9d60og", "cmp_cdgmqs31d5jmsb9g60og", 3, 7)
MESSAGE_ID = "AXdvcmtzcGFjZS0wMWNhbXBhaWduLTAwMQAAAAMABzpkb5dMUiTL3LHu"

_FOLDER = Path(__file__).parent


def names(esp: str) -> list[str]:
    return sorted(path.stem for path in (_FOLDER / esp).glob("*.json"))


def payload(esp: str, name: str) -> bytes:
    return (_FOLDER / esp / f"{name}.json").read_bytes()
