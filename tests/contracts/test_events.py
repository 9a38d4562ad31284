"""Every ESP's events, in the one vocabulary, whatever they are sent as."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sendgrid.helpers.eventwebhook import EventWebhook

from shared.delivery.ports import EventSource
from shared.errors import BadPayload, BadSignature, ConfigurationError
from shared.events import Event, EventReport
from shared.providers.postmark.events import PostmarkEvents
from shared.providers.sendgrid.events import SendGridEvents
from shared.providers.ses.events import SesEvents
from shared.providers.ses.sns import SnsVerifier
from tests.fakes import FakeClock
from tests.payloads import MESSAGE_ID, names, payload
from tests.signing import TOPIC_ARN, basic_auth, sendgrid_signer, sns_signer

# What each payload means: type, and where there is one: bounce kind, reject reason, `machine`.
EXPECTED = {
    "sendgrid": {
        "processed": "sent",
        "deferred": "deferred",
        "delivered": "delivered",
        "bounce_invalid_address": "bounced hard invalid",
        "bounce_mailbox_unavailable_permanent": "bounced hard bounced",
        "bounce_mailbox_full": "bounced soft bounced",
        "bounce_mailbox_unavailable_transient": "bounced soft bounced",
        "bounce_content": "bounced soft spam",
        "bounce_reputation": "bounced soft blocked",
        "bounce_volume": "bounced soft blocked",
        "bounce_technical_failure": "bounced soft other",
        "bounce_unclassified": "bounced hard bounced",
        "bounce_blocked": "bounced soft blocked",
        "bounce_asynchronous": "bounced hard bounced",
        "dropped_bounced": "rejected bounced",
        "dropped_unsubscribed": "rejected unsubscribed",
        "dropped_spam_reporting": "rejected spam",
        "dropped_invalid": "rejected invalid",
        "dropped_smtpapi_header": "rejected other",
        "dropped_quota": "rejected other",
        "open": "opened",
        "open_machine": "opened machine",
        "open_category_as_text": "opened",
        "click": "clicked",
        "spamreport": "complained spam",
        "unsubscribe": "unsubscribed unsubscribed",
        "group_unsubscribe": "unsubscribed unsubscribed",
        "group_resubscribe": "subscribed",
        "unknown_event": "unknown",
    },
    "postmark": {
        "delivery": "delivered",
        "bounce_hard_bounce": "bounced hard bounced",
        "bounce_bad_email_address": "bounced hard invalid",
        "bounce_soft_bounce": "bounced soft bounced",
        "bounce_blocked": "bounced soft blocked",
        "bounce_dmarc_policy": "bounced soft blocked",
        "bounce_virus_notification": "bounced soft other",
        "bounce_transient": "deferred",
        "bounce_dns_error": "deferred",
        "bounce_open_relay_test": "deferred",
        "bounce_spam_notification": "complained spam",
        "spam_complaint": "complained spam",
        "bounce_auto_responder": "autoresponded",
        "bounce_address_change": "autoresponded",
        "bounce_challenge_verification": "autoresponded",
        "bounce_unsubscribe": "unsubscribed unsubscribed",
        "bounce_subscribe": "subscribed",
        "bounce_manually_deactivated": "rejected blocked",
        "bounce_unconfirmed": "rejected other",
        "bounce_smtp_api_error": "failed other",
        "bounce_inbound_error": "unknown",
        "bounce_unknown": "unknown",
        "bounce_of_unknown_type": "unknown",
        "open": "opened",
        "open_machine": "opened machine",
        "click": "clicked",
        "subscription_change_unsubscribed": "unsubscribed unsubscribed",
        "subscription_change_subscribed": "subscribed",
        "subscription_change_after_bounce": "unknown",
        "subscription_change_without_message": "unsubscribed unsubscribed",
        "unknown_record": "unknown",
    },
    "ses": {
        "send": "sent",
        "delivery": "delivered",
        "bounce_permanent": "bounced hard bounced",
        "bounce_permanent_no_email": "bounced hard invalid",
        "bounce_permanent_suppressed": "bounced hard bounced",
        "bounce_transient": "bounced soft bounced",
        "bounce_transient_content": "bounced soft spam",
        "bounce_undetermined": "bounced soft bounced",
        "bounce_of_unknown_subtype": "bounced soft bounced",
        "complaint": "complained spam",
        "complaint_not_spam": "unknown",
        "reject": "rejected other",
        "rendering_failure": "failed other",
        "delivery_delay": "deferred",
        "open": "opened",
        "open_machine": "opened machine",
        "click": "clicked",
        "subscription_unsubscribed_from_all": "unsubscribed unsubscribed",
        "subscription_unsubscribed_from_topic": "unsubscribed unsubscribed",
        "subscription_subscribed": "subscribed",
        "unknown_event": "unknown",
        "legacy_notification": "delivered",
    },
}
CASES = [(esp, name) for esp, meanings in EXPECTED.items() for name in meanings]
WITHOUT_MESSAGE_ID = {"subscription_change_without_message", "legacy_notification"}


@dataclass(frozen=True, slots=True)
class Esp:
    """How a genuine report of an ESP is made of an event's JSON."""

    name: str
    source: EventSource
    wrap: Callable[[Any], tuple[dict[str, str], bytes]]
    text_of: str
    """Where the ESP puts text for people, as path into a payload."""
    example: str

    def take(self, document: object) -> EventReport:
        headers, body = self.wrap(document)
        return self.source.verify_and_parse(headers, body)


def _sendgrid(document: Any) -> tuple[dict[str, str], bytes]:
    body = json.dumps(document).encode() + b"\r\n"
    return sendgrid_signer().headers(body), body


def _postmark(document: Any) -> tuple[dict[str, str], bytes]:
    return basic_auth("hook", "secret"), json.dumps(document).encode()


def _ses(document: Any) -> tuple[dict[str, str], bytes]:
    return {}, json.dumps(sns_signer().notification(document)).encode()


def _never(topic_arn: str, token: str) -> None:
    pytest.fail(f"nothing asked to confirm {topic_arn} with {token}")


CLOCK = FakeClock(datetime(2026, 11, 24, 9, tzinfo=UTC))


def esp(name: str) -> Esp:
    if name == "sendgrid":
        source: EventSource = SendGridEvents(name, sendgrid_signer().public_key, CLOCK)
        return Esp(name, source, _sendgrid, "0/reason", "bounce_invalid_address")
    if name == "postmark":
        source = PostmarkEvents(name, "hook", "secret", CLOCK)
        return Esp(name, source, _postmark, "Details", "bounce_hard_bounce")
    verifier = SnsVerifier([TOPIC_ARN], lambda _url, _arn: sns_signer().certificate, CLOCK)
    source = SesEvents(name, verifier, _never, CLOCK)
    text = "bounce/bouncedRecipients/0/diagnosticCode"
    return Esp(name, source, _ses, text, "bounce_permanent")


def put(document: Any, path: str, value: object) -> None:
    *way, last = (int(step) if step.isdecimal() else step for step in path.split("/"))
    for step in way:
        document = document[step]
    document[last] = value


def only(report: EventReport) -> Event:
    assert report.malformed == 0
    assert len(report.events) == 1
    return report.events[0]


def meaning(event: Event) -> str:
    words = [event.type, event.bounce, event.reason, "machine" if event.machine else None]
    return " ".join(word for word in words if word)


@pytest.mark.parametrize("name", EXPECTED)
def test_every_payload_has_a_meaning(name: str) -> None:
    assert names(name) == sorted(EXPECTED[name])


@pytest.mark.parametrize(("name", "case"), CASES)
def test_payloads_in_the_vocabulary(name: str, case: str) -> None:
    event = only(esp(name).take(json.loads(payload(name, case))))
    assert meaning(event) == EXPECTED[name][case]
    assert event.provider == name
    assert event.message_id == (None if case in WITHOUT_MESSAGE_ID else MESSAGE_ID)
    assert event.address == "ada@example.com"
    assert event.esp_type
    assert timedelta(0) <= event.occurred_at - datetime(2026, 11, 24, 8, tzinfo=UTC)
    assert event.occurred_at < CLOCK.now()
    assert "ada@example.com" not in event.detail + event.url
    assert "ada%40example.com" not in event.url
    assert bool(event.url) == (event.type == "clicked")


@pytest.mark.parametrize(
    ("name", "times"),
    [
        ("sendgrid", {"open": "0/timestamp", "click": "0/timestamp", "delivered": "0/timestamp"}),
        ("postmark", {"open": "ReceivedAt", "click": "ReceivedAt", "delivery": "DeliveredAt"}),
        ("ses", {"open": "open/timestamp", "click": "click/timestamp", "send": "mail/timestamp"}),
    ],
)
@pytest.mark.parametrize("own_ids", [True, False])
def test_event_ids_tell_events_apart_and_repeats_not(
    name: str, times: dict[str, str], *, own_ids: bool
) -> None:
    one, ids = esp(name), []
    for case, path in times.items():
        document = json.loads(payload(name, case))
        if name == "sendgrid" and not own_ids:
            del document[0]["sg_event_id"]
        ids.append(only(one.take(document)).event_id)
        assert only(one.take(json.loads(json.dumps(document, indent=1)))).event_id == ids[-1]
        if name != "sendgrid" or not own_ids:
            put(document, path, 1795507201 if name == "sendgrid" else "2026-11-24T08:00:01Z")
            ids.append(only(one.take(document)).event_id)
    assert len(set(ids)) == len(ids)
    assert all(len(event_id) <= 100 and "@" not in event_id for event_id in ids)


@pytest.mark.parametrize("name", EXPECTED)
def test_what_an_event_tells_is_cut_and_scrubbed(name: str) -> None:
    one = esp(name)
    document = json.loads(payload(name, one.example))
    put(document, one.text_of, "no mailbox for <Ada@Example.com>, " + "x" * 10_000)
    detail = only(one.take(document)).detail
    assert detail.startswith("no mailbox for <[address]>, xxx")
    assert len(detail) == 500


@pytest.mark.parametrize(
    ("name", "case", "paths"),
    [
        ("sendgrid", "click", ["0/url", "0/useragent"]),
        ("postmark", "click", ["OriginalLink", "UserAgent"]),
        ("ses", "click", ["click/link", "click/userAgent"]),
    ],
)
def test_urls_and_user_agents_are_cut(name: str, case: str, paths: list[str]) -> None:
    document = json.loads(payload(name, case))
    for path in paths:
        put(document, path, "https://example.com/@page/" + "y" * 100_000)
    event = only(esp(name).take(document))
    assert (len(event.url), len(event.user_agent)) == (500, 300)
    assert event.url.startswith("https://example.com/@page/yyy")


@pytest.mark.parametrize("name", EXPECTED)
def test_clicks_on_two_links_are_two_events(name: str) -> None:
    path = {"sendgrid": "0/url", "postmark": "OriginalLink", "ses": "click/link"}[name]
    document = json.loads(payload(name, "click"))
    if name == "sendgrid":
        del document[0]["sg_event_id"]
    first = only(esp(name).take(document)).event_id
    put(document, path, "https://shop.example.com/other")
    assert only(esp(name).take(document)).event_id != first


@pytest.mark.parametrize(
    ("name", "path", "values"),
    [
        ("sendgrid", "0/timestamp", [-1, 10**12, 1e300, "1795507200", True, None, [], 10**400]),
        ("postmark", "BouncedAt", ["1812-11-24T08:00:00Z", "soon", "2026-11-24T08:00:00", 7, None]),
        ("ses", "bounce/timestamp", ["2126-11-24T08:00:00Z", "soon", {}, 17, "9" * 10_000]),
    ],
)
def test_an_absurd_time_makes_an_event_malformed(
    name: str, path: str, values: list[object]
) -> None:
    one = esp(name)
    for value in values:
        document = json.loads(payload(name, one.example))
        put(document, path, value)
        if name == "ses" and not value:
            put(document, "mail/timestamp", value)
        assert one.take(document) == EventReport(malformed=1)


def test_one_odd_entry_costs_no_other_of_a_sendgrid_array() -> None:
    one = esp("sendgrid")
    good = json.loads(payload("sendgrid", "open"))
    odd: list[Any] = [None, 7, "x", [], {}, {"timestamp": "now"}, {**good[0], "email": ["?"]}]
    report = one.take([*odd, *good])
    assert report.malformed == 6
    assert [event.address for event in report.events] == [None, "ada@example.com"]


def test_half_a_surrogate_pair_costs_no_event() -> None:
    for name in EXPECTED:
        one = esp(name)
        document = json.loads(payload(name, one.example))
        put(document, one.text_of, "odd \ud83d text")
        assert only(one.take(document)).detail == "odd ? text"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@pytest.mark.parametrize("name", EXPECTED)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_fields_of_any_type_never_crash_a_batch(name: str, data: st.DataObject) -> None:
    document = json.loads(payload(name, data.draw(st.sampled_from(sorted(EXPECTED[name])))))
    at = document[0] if isinstance(document, list) else document
    for _ in range(3):
        key = data.draw(st.sampled_from(sorted(at)))
        if isinstance(at[key], dict) and at[key] and data.draw(st.booleans()):
            at = at[key]
            continue
        at[key] = data.draw(JSON)
    report = esp(name).take(document)
    assert len(report.events) + report.malformed == 1


@pytest.mark.parametrize("name", EXPECTED)
def test_a_body_of_another_shape_is_a_bad_payload(name: str) -> None:
    source = esp(name).source
    for body in [b"", b"junk", b"\xff\xfe", b"[" * 100_000, b"7", b'"x"', b"{]"]:
        headers = {**sendgrid_signer().headers(body), **basic_auth("hook", "secret")}
        with pytest.raises(BadPayload):
            source.verify_and_parse(headers, body)


@pytest.mark.parametrize("change", ["body", "timestamp", "signature", "other key"])
def test_a_changed_sendgrid_report_is_refused(change: str) -> None:
    body = payload("sendgrid", "open")
    headers = sendgrid_signer().headers(body)
    signature, timestamp = list(headers)
    public_key = sendgrid_signer().public_key
    if change == "body":
        body = body.rstrip()
    elif change == "timestamp":
        headers[timestamp] = "1795507201"
    elif change == "signature":
        headers[signature] = headers[signature][:-8] + "AAAAAAA="
    else:
        public_key = type(sendgrid_signer())().public_key
    with pytest.raises(BadSignature):
        SendGridEvents("sendgrid", public_key, CLOCK).verify_and_parse(headers, body)


@pytest.mark.parametrize("signature", [None, "", "x", "====", "é", "AAAA", "A" * 10_000])
def test_a_malformed_sendgrid_signature_is_refused(signature: str | None) -> None:
    body = payload("sendgrid", "open")
    headers = sendgrid_signer().headers(body)
    name = next(iter(headers))
    del headers[name]
    if signature is not None:
        headers[name] = signature
    with pytest.raises(BadSignature):
        esp("sendgrid").source.verify_and_parse(headers, body)


def test_sendgrid_s_own_verifier_agrees() -> None:
    headers, body = _sendgrid(json.loads(payload("sendgrid", "open")))
    verifier = EventWebhook(sendgrid_signer().public_key)
    assert verifier.verify_signature(body.decode(), *headers.values())


def test_sendgrid_without_a_key_takes_nothing_and_a_bad_key_is_the_operator_s() -> None:
    headers, body = _sendgrid([])
    with pytest.raises(BadSignature, match="webhook_public_key"):
        SendGridEvents("sendgrid", "", CLOCK).verify_and_parse(headers, body)
    rsa_key = sns_signer().pem.splitlines()[1]
    for key in ["x", "AAAA", "é", rsa_key]:
        with pytest.raises(ConfigurationError, match="webhook_public_key"):
            SendGridEvents("sendgrid", key, CLOCK)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Basic"},
        {"authorization": "Basic é"},
        {"authorization": "Basic ===="},
        {"authorization": basic_auth("hook", "secret")["authorization"].replace("Basic", "Bearer")},
        basic_auth("hook", "wrong"),
        basic_auth("wrong", "secret"),
        basic_auth("", ""),
    ],
)
def test_a_wrong_postmark_credential_is_refused(headers: Mapping[str, str]) -> None:
    body = payload("postmark", "open")
    with pytest.raises(BadSignature):
        esp("postmark").source.verify_and_parse(headers, body)


@pytest.mark.parametrize(("user", "password"), [("", ""), ("hook", ""), ("", "secret")])
def test_postmark_without_a_credential_takes_nothing(user: str, password: str) -> None:
    source = PostmarkEvents("postmark", user, password, CLOCK)
    with pytest.raises(BadSignature, match="webhook_user"):
        source.verify_and_parse(basic_auth(user, password), payload("postmark", "open"))
