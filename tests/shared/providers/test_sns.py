"""SNS envelopes: who may have signed them, and the handshake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from shared.errors import (
    BadPayload,
    BadSignature,
    ConfigurationError,
    DependencyUnavailable,
)
from shared.events import EventReport
from shared.providers.ses.certificates import FetchedCertificates, pinned
from shared.providers.ses.events import SesEvents
from shared.providers.ses.handshake import sns_confirm
from shared.providers.ses.sns import SnsVerifier, read_envelope
from tests.fakes import FakeClock
from tests.payloads import payload
from tests.signing import (
    CERTIFICATE_HOST,
    CERTIFICATE_PATH,
    CERTIFICATE_URL,
    TOPIC_ARN,
    SnsSigner,
    sns_signer,
)

CLOCK = FakeClock(datetime(2026, 11, 24, 9, tzinfo=UTC))


class Shelf:
    """Certificates by host and path, in the place of HTTPS."""

    def __init__(self, pem: str) -> None:
        self.pem = pem
        self.fetched: list[str] = []

    def fetch(self, host: str, path: str) -> bytes:
        self.fetched.append(host + path)
        return self.pem.encode()


def verify(envelope: object, *, clock: FakeClock = CLOCK, pem: str = "") -> None:
    loader = pinned(pem or sns_signer().pem, "ses")
    SnsVerifier([TOPIC_ARN], loader, clock).verify(read_envelope(json.dumps(envelope).encode()))


@pytest.mark.parametrize("version", ["1", "2"])
def test_genuine_envelopes_pass(version: str) -> None:
    signer = sns_signer()
    verify(signer.notification("text", SignatureVersion=version))
    verify(signer.notification("with\nlines and é", SignatureVersion=version, Subject="Subject"))
    verify(signer.confirmation(SignatureVersion=version))
    verify(signer.confirmation(SignatureVersion=version, Type="UnsubscribeConfirmation"))
    # An absent subject may be written as null.
    verify({**signer.notification("text", SignatureVersion=version), "Subject": None})


@pytest.mark.parametrize(
    "changes",
    [
        {"Message": "another"},
        {"MessageId": "another"},
        {"Subject": "added"},
        {"Timestamp": "2026-11-24T08:00:07.000Z"},
        {"Type": "SubscriptionConfirmation"},
        {"Type": "Other"},
        {"Type": None},
        {"SignatureVersion": "1"},
        {"SignatureVersion": "3"},
        {"SignatureVersion": 2},
        {"Signature": ""},
        {"Signature": "é"},
        {"Signature": "AAAA"},
        {"Signature": None},
        {"Message": None},
        {"TopicArn": "arn:aws:sns:us-east-1:999999999999:ses-events"},
        {"TopicArn": TOPIC_ARN + "\n"},
        {"TopicArn": None},
    ],
)
def test_changed_envelopes_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadSignature):
        verify({**sns_signer().notification("text"), **changes})


def test_a_genuine_envelope_of_another_s_topic_is_refused() -> None:
    theirs = "arn:aws:sns:us-east-1:999999999999:anything"
    with pytest.raises(BadSignature, match="topic_arns"):
        verify(sns_signer().notification("text", TopicArn=theirs))


def test_another_key_and_another_kind_of_key_are_refused() -> None:
    with pytest.raises(BadSignature):
        verify(SnsSigner().notification("text"))


@pytest.mark.parametrize(
    "now", [datetime(2026, 10, 31, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)]
)
def test_a_certificate_out_of_its_time_is_refused(now: datetime) -> None:
    with pytest.raises(BadSignature, match="not valid today"):
        verify(sns_signer().notification("text"), clock=FakeClock(now))


def test_a_pinned_certificate_that_is_none_is_the_operator_s_fault() -> None:
    with pytest.raises(ConfigurationError, match="certificate_pem"):
        pinned("-----BEGIN CERTIFICATE-----", "ses")


def test_certificates_are_fetched_once_a_url() -> None:
    shelf = Shelf(sns_signer().pem)
    certificates = FetchedCertificates(shelf.fetch)
    verifier = SnsVerifier([TOPIC_ARN], certificates, CLOCK)
    envelope = read_envelope(json.dumps(sns_signer().notification("text")).encode())
    verifier.verify(envelope)
    verifier.verify(envelope)
    assert shelf.fetched == [CERTIFICATE_HOST + CERTIFICATE_PATH]
    # The cache is bounded, and what was used last stays.
    for number in range(15):
        other = f"https://{CERTIFICATE_HOST}/SimpleNotificationService-{number}.pem"
        certificates(other, TOPIC_ARN)
        certificates(CERTIFICATE_URL, TOPIC_ARN)
    certificates(f"https://{CERTIFICATE_HOST}/SimpleNotificationService-last.pem", TOPIC_ARN)
    certificates(CERTIFICATE_URL, TOPIC_ARN)
    assert len(shelf.fetched) == 17


@pytest.mark.parametrize(
    ("url", "region"),
    [
        (CERTIFICATE_URL, "us-east-1"),
        (CERTIFICATE_URL.replace("us-east-1", "ap-southeast-2"), "ap-southeast-2"),
        (CERTIFICATE_URL.replace("us-east-1", "us-gov-west-1"), "us-gov-west-1"),
        (CERTIFICATE_URL.replace("us-east-1.amazonaws.com", "cn-north-1.amazonaws.com.cn"),
         "cn-north-1"),
    ],
)  # fmt: skip
def test_sns_s_own_urls_are_fetched(url: str, region: str) -> None:
    shelf = Shelf(sns_signer().pem)
    FetchedCertificates(shelf.fetch)(url, f"arn:aws:sns:{region}:123456789012:ses-events")
    assert ["https://" + fetched for fetched in shelf.fetched] == [url]


@pytest.mark.parametrize(
    "url",
    [
        "",
        CERTIFICATE_URL + "\n",
        CERTIFICATE_URL + "?x=1",
        CERTIFICATE_URL + "#x",
        CERTIFICATE_URL.replace("https", "http"),
        CERTIFICATE_URL.replace("https", "HTTPS"),
        CERTIFICATE_URL.replace("us-east-1", "eu-west-1"),
        CERTIFICATE_URL.replace("us-east-1", "s3"),
        CERTIFICATE_URL.replace("us-east-1", "s3-us-west-2"),
        CERTIFICATE_URL.replace("sns.us-east-1", "us-east-1"),
        CERTIFICATE_URL.replace("amazonaws.com", "amazonaws.com.cn"),
        CERTIFICATE_URL.replace("amazonaws.com", "amazonaws.com.evil.example"),
        CERTIFICATE_URL.replace("amazonaws.com", "amazonaws.comxcn"),
        CERTIFICATE_URL.replace("amazonaws.com", "amazonaws.com:8443"),
        CERTIFICATE_URL.replace("https://", "https://evil.example@"),
        CERTIFICATE_URL.replace("https://", "https://evil.example/"),
        CERTIFICATE_URL.replace("0123abcd", "../x"),
        CERTIFICATE_URL.replace("0123abcd", ""),
        CERTIFICATE_URL.replace("0123abcd", "٣"),
        CERTIFICATE_URL.replace("SimpleNotificationService", "Other"),
    ],
)
def test_no_other_url_is_ever_fetched(url: str) -> None:
    shelf = Shelf(sns_signer().pem)
    with pytest.raises(BadSignature):
        FetchedCertificates(shelf.fetch)(url, TOPIC_ARN)
    assert shelf.fetched == []


def test_what_is_no_certificate_is_refused_and_not_kept() -> None:
    shelf = Shelf("<html>")
    certificates = FetchedCertificates(shelf.fetch)
    with pytest.raises(BadSignature):
        certificates(CERTIFICATE_URL, TOPIC_ARN)
    shelf.pem = sns_signer().pem
    assert certificates(CERTIFICATE_URL, TOPIC_ARN) == sns_signer().certificate


class Source:
    """SES events with a handshake that is written down."""

    def __init__(self) -> None:
        self.confirmed: list[tuple[str, str]] = []
        verifier = SnsVerifier([TOPIC_ARN], pinned(sns_signer().pem, "ses"), CLOCK)
        self._events = SesEvents("ses", verifier, self._confirm, CLOCK)

    def _confirm(self, topic_arn: str, token: str) -> None:
        self.confirmed.append((topic_arn, token))

    def take(self, envelope: dict[str, Any]) -> EventReport:
        return self._events.verify_and_parse({}, json.dumps(envelope).encode())


def test_a_genuine_subscription_is_confirmed() -> None:
    source = Source()
    envelope = sns_signer().confirmation()
    report = source.take(envelope)
    assert source.confirmed == [(TOPIC_ARN, envelope["Token"])]
    assert report.events == ()
    assert "confirmed" in report.notice


def test_a_forged_subscription_is_not_confirmed() -> None:
    source = Source()
    for envelope in [
        {**sns_signer().confirmation(), "Token": "another"},
        sns_signer().confirmation(TopicArn="arn:aws:sns:us-east-1:999999999999:x"),
        {**sns_signer().notification("x"), "Type": "SubscriptionConfirmation", "Token": "x"},
    ]:
        with pytest.raises(BadSignature):
            source.take(envelope)
    assert source.confirmed == []


def test_messages_that_are_no_event() -> None:
    source, signer = Source(), sns_signer()
    plain = "Successfully validated SNS topic for Amazon SES event publishing."
    assert source.take(signer.notification(plain)).notice
    assert source.take(signer.confirmation(Type="UnsubscribeConfirmation")).notice
    assert source.take(signer.notification("{broken")) == EventReport(malformed=1)
    assert source.take(signer.notification("{}")) == EventReport(malformed=1)
    assert source.confirmed == []


def test_an_event_in_a_version_1_envelope() -> None:
    message = payload("ses", "open").decode()
    report = Source().take(sns_signer().notification(message, SignatureVersion="1"))
    assert [event.type for event in report.events] == ["opened"]


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield boto3.client("sns", region_name="us-east-1").create_topic(Name="ses-events")[
            "TopicArn"
        ]


def test_confirming_calls_the_sns_api(topic: str) -> None:
    sns_confirm("us-east-1", "")(topic, "token")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, BadPayload),
        (403, ConfigurationError),
        (404, BadPayload),
        (429, DependencyUnavailable),
        (500, DependencyUnavailable),
    ],
)
def test_what_sns_answers_to_a_handshake(
    status: int, error: type[Exception], topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_named: object) -> None:
        raise ClientError({"ResponseMetadata": {"HTTPStatusCode": status}}, "ConfirmSubscription")  # type: ignore[typeddict-item]  # the part that is read

    monkeypatch.setattr("botocore.client.BaseClient._make_api_call", refuse)
    with pytest.raises(error):
        sns_confirm("us-east-1", "")(topic, "token")


def test_sns_that_does_not_answer(topic: str) -> None:
    with (
        mock_aws(config={"core": {"passthrough": {"urls": ["http://127.0.0.1:9/?.*"]}}}),
        pytest.raises(DependencyUnavailable),
    ):
        sns_confirm("us-east-1", "http://127.0.0.1:9")(topic, "token")
