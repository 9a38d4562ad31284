"""A few readers who leave: the one click that mail clients offer (RFC 8058)."""

from __future__ import annotations

import random
from typing import Any

from local.client import Client
from local.failure import LocalCloudError
from local.http import request
from local.sandbox_client import SandboxClient


def leave(message: dict[str, Any]) -> str:
    """Posts what a mail client posts; gives the address that left.

    Raises:
        LocalCloudError: the mail has no such header, or the answer is no success.
    """
    headers = message["headers"]
    if headers.get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click":
        raise LocalCloudError(f"message {message['id']} offers no one-click unsubscribe")
    url = headers["List-Unsubscribe"].strip("<>")
    answer = request(
        "POST",
        url,
        body=b"List-Unsubscribe=One-Click",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    if answer.status != 200:
        raise LocalCloudError(f"a one-click unsubscribe was answered with {answer.status}")
    address: str = message["to"]
    return address


def some_leave(sandbox: SandboxClient, count: int, seed: int) -> list[str]:
    """That many of those who have mail by now; the addresses."""
    messages = list(sandbox.messages())
    chance = random.Random(seed)  # noqa: S311 - whom it meets is no secret
    return [leave(one) for one in chance.sample(messages, min(count, len(messages)))]


def still_there(api: Client, list_id: str, addresses: list[str]) -> list[str]:
    """Those whom the API does not show as unsubscribed."""
    there = []
    for address in addresses:
        found = api.get("/subscribers", email=address)["items"]
        if not found or found[0]["lists"].get(list_id) != "unsubscribed":
            there.append(address)
    return there
