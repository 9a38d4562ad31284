"""Transactional messages."""

import pytest

from local.client import ApiError
from tests.e2e.conftest import World, until

pytestmark = pytest.mark.e2e


def test_a_message_goes_out_at_once_and_is_followed(calm: World) -> None:
    message = {
        "to": {"email": "buyer@orders.example", "name": "Ada"},
        "sender": calm.sender,
        "subject": "Order {{ data.number }}",
        "text": "Thank you for order {{ data.number }}.",
        "data": {"number": 1815},
    }
    first = calm.api.post("/messages", message, Idempotency_Key="order-1815")
    again = calm.api.post("/messages", message, Idempotency_Key="order-1815")
    assert first == again
    with pytest.raises(ApiError) as refused:
        calm.api.post("/messages", message | {"data": {}}, Idempotency_Key="order-1815")
    assert refused.value.status == 422
    story = until(
        lambda: calm.api.get(f"/messages/{first['id']}"),
        lambda s: {"delivered"} <= {event["type"] for event in s["events"]},
    )
    assert (story["state"], story["campaign"]) == ("accepted", None)
    [mail] = calm.sandbox.messages(to="buyer@orders.example")
    assert mail["subject"] == "Order 1815"
    assert calm.sandbox.message(mail["id"])["text"] == "Thank you for order 1815."
    assert mail["tidepost_id"] == first["id"]
