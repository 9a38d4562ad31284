"""What comes in by webhooks: true reports count, all else is answered with 4xx."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.http import request
from tests.e2e.conftest import Ran, World, until

pytestmark = pytest.mark.e2e

SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"
FAR_TOO_LONG = b"[" + b" " * 3_000_000 + b"]"


@pytest.mark.parametrize("provider", ["sendgrid", "postmark", "ses"])
@pytest.mark.parametrize(
    "body", [b"", b"{}", b"not json", b"\xff\xfe\x00", b'[{"event":"delivered"}]']
)
def test_an_unsigned_report_is_refused(world: World, provider: str, body: bytes) -> None:
    status = post(world, provider, body)
    assert status in {400, 401}
    if provider != "ses":
        assert status == 401


@pytest.mark.parametrize(
    "headers",
    [
        {SIGNATURE: "!!", TIMESTAMP: "x"},
        {SIGNATURE: "MEUCIQ==", TIMESTAMP: "1"},
        {TIMESTAMP: "1"},
    ],
)
def test_a_bad_sendgrid_signature_is_401(world: World, headers: dict[str, str]) -> None:
    assert post(world, "sendgrid", b"[]", headers) == 401


def test_a_wrong_postmark_password_is_401(world: World) -> None:
    assert post(world, "postmark", b"{}", {"Authorization": "Basic cG9zdG1hcms6d3Jvbmc="}) == 401
    assert post(world, "postmark", b"{}", {"Authorization": "Basic %%%"}) == 401


@pytest.mark.parametrize("provider", ["sendgrid", "postmark", "ses"])
def test_megabytes_of_junk_are_refused(world: World, provider: str) -> None:
    assert 400 <= post(world, provider, FAR_TOO_LONG) < 500


def test_an_unknown_provider_is_not_there(world: World) -> None:
    assert post(world, "mailgun", b"{}") == 404


def test_an_event_type_of_tomorrow_is_kept_as_unknown(calm: World, ran: Ran) -> None:
    message = next(iter(calm.sandbox.messages(provider="sendgrid")))
    calm.sandbox.report(
        {"message_id": message["id"], "type": "delivered", "raw": {"event": "levitated"}}
    )
    story = until(
        lambda: calm.api.get(f"/messages/{message['tidepost_id']}"),
        lambda s: any(event["type"] == "unknown" for event in s["events"]),
    )
    assert story["campaign"] == ran.campaign


def test_a_report_on_a_forged_message_is_ignored(calm: World, ran: Ran) -> None:
    delivered = (m for m in calm.sandbox.messages(provider="sendgrid") if m["state"] == "delivered")
    message = next(m for m in delivered if calm.person(m["to"])["suppressed"] is None)
    before = calm.report(ran.campaign)["events"]
    forged = "A" * 56
    calm.sandbox.report(
        {"message_id": message["id"], "type": "complained", "raw": {"tidepost_id": forged}}
    )
    until(calm.sandbox.stats, lambda s: s["webhooks"]["sendgrid"]["pending"] == 0)
    assert calm.report(ran.campaign)["events"] == before
    assert calm.person(message["to"])["suppressed"] is None


@pytest.fixture(params=["1", "2"])
def ses_over_https(calm: World, request: pytest.FixtureRequest) -> Iterator[World]:
    before = calm.sandbox.behaviour()
    url = f"{calm.cloud.deployed.webhooks_url}/webhooks/ses"
    webhook = {"mode": "https", "url": url, "signature_version": request.param}
    changed: dict[str, Any] = {"providers": {"ses": {"webhook": {"endpoint_url": None, **webhook}}}}
    calm.sandbox.behave(changed)
    yield calm
    calm.sandbox.replace(before)


def test_ses_reports_over_https_after_the_handshake(ses_over_https: World) -> None:
    world = ses_over_https
    message = next(iter(world.sandbox.messages(provider="ses")))
    before = world.sandbox.stats()["webhooks"]["ses"]
    world.sandbox.report({"message_id": message["id"], "type": "clicked"})
    after = until(
        lambda: world.sandbox.stats()["webhooks"]["ses"],
        lambda s: s["pending"] == 0 and s["ok"] > before["ok"],
    )
    assert after["failed"] == before["failed"]
    until(
        lambda: world.api.get(f"/messages/{message['tidepost_id']}"),
        lambda s: any(event["type"] == "clicked" for event in s["events"]),
    )


def post(world: World, provider: str, body: bytes, headers: dict[str, str] | None = None) -> int:
    url = f"{world.cloud.deployed.webhooks_url}/webhooks/{provider}"
    sent = {"Content-Type": "application/json", **(headers or {})}
    return request("POST", url, body=body, headers=sent).status
