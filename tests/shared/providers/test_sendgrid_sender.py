from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from shared.config import SendGridProvider
from shared.mail import MessageKind, Skeleton, Verdict
from shared.providers.sendgrid import sender as module
from shared.providers.sendgrid.sender import SendGridSender
from shared.transport import Transport
from tests.contracts.dialects import SendGrid, batch, skeleton
from tests.recording_server import Answer, Recorded, RecordingServer, recording_server

CONFIG = SendGridProvider(name="sg", kind="sendgrid", weight=1, secret="sg")


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with recording_server() as running:
        running.react = SendGrid().accept
        yield running


@pytest.fixture
def transport(server: RecordingServer) -> Iterator[Transport]:
    made = Transport(server.url, connect_timeout_s=2, read_timeout_s=5)
    yield made
    made.close()


def test_a_tag_that_stands_in_a_value_or_a_literal_is_not_used(
    server: RecordingServer, transport: Transport
) -> None:
    tags = iter(["aaaaaaaa", "bbbbbbbb", "cccccccc"])
    sender = SendGridSender(CONFIG, "k", transport, new_tag=lambda: next(tags))
    mail = batch(2, text=skeleton("%tpaaaaaaaa.0% |code|", {"code": 1}))
    one = replace(mail.recipients[0], values=("%tpbbbbbbbb.1%", "x"))
    mail = mail.only([one, mail.recipients[1]])
    sender.send(mail)
    [request] = server.requests
    assert set(request.document["personalizations"][0]["substitutions"]) == {
        "%tpcccccccc.0%",
        "%tpcccccccc.1%",
    }
    for person, rendered in zip(mail.recipients, SendGrid().mails(request), strict=True):
        assert mail.text
        assert rendered.text == mail.text.fill(person.values)


def test_each_request_has_tags_of_its_own(server: RecordingServer, transport: Transport) -> None:
    sender = SendGridSender(CONFIG, "k", transport)
    for _ in range(2):
        sender.send(batch(2))
    first, second = (
        set(request.document["personalizations"][0]["substitutions"]) for request in server.requests
    )
    assert not first & second


def test_who_has_too_much_text_to_substitute_gets_a_request_with_a_full_body(
    server: RecordingServer, transport: Transport
) -> None:
    mail = batch(4)
    tags = 2 * len("%tp01234567.0%")
    fits = replace(mail.recipients[1], values=("ü" * ((10_000 - tags) // 2), ""))
    big = replace(mail.recipients[2], values=("ü" * ((10_000 - tags) // 2), "x"))
    mail = mail.only([mail.recipients[0], fits, big, mail.recipients[3]])
    outcomes = SendGridSender(CONFIG, "k", transport).send(mail)
    assert [outcome.index for outcome in outcomes] == [10, 11, 12, 13]
    assert {outcome.verdict for outcome in outcomes} == {Verdict.ACCEPTED}
    together, alone = (request.document for request in server.requests)
    assert len(together["personalizations"]) == 3
    for person in together["personalizations"]:
        assert sum(len((k + v).encode()) for k, v in person["substitutions"].items()) <= 10_000
    [person] = alone["personalizations"]
    assert "substitutions" not in person
    assert mail.html
    assert alone["content"][1]["value"] == mail.html.fill(big.values)


def test_mail_without_slots_has_no_substitutions(
    server: RecordingServer, transport: Transport
) -> None:
    plain = Skeleton(("same for all",))
    mail = batch(3, subject=plain, html=None, text=plain)
    SendGridSender(CONFIG, "k", transport).send(mail)
    document = server.requests[0].document
    assert not any("substitutions" in person for person in document["personalizations"])
    assert document["content"] == [{"type": "text/plain", "value": "same for all"}]


@pytest.mark.parametrize(("kind", "on"), [("campaign", True), ("transactional", False)])
def test_tracking_goes_by_the_kind(
    server: RecordingServer, transport: Transport, kind: str, on: bool
) -> None:
    SendGridSender(CONFIG, "k", transport).send(batch(1, kind=MessageKind(kind)))
    assert server.requests[0].document["tracking_settings"] == {
        "click_tracking": {"enable": on, "enable_text": on},
        "open_tracking": {"enable": on},
        "subscription_tracking": {"enable": False},
    }


@pytest.mark.parametrize("field", ["personalizations.2.to.0.email", "personalizations[2].to"])
def test_the_recipient_whom_an_error_names_is_taken_out(
    server: RecordingServer, transport: Transport, field: str
) -> None:
    def react(request: Recorded) -> Answer:
        people = [mail.to for mail in SendGrid().mails(request)]
        if "person2@example.com" not in people:
            return SendGrid().accept(request)
        place = people.index("person2@example.com")
        error = {"message": "bad address", "field": field.replace("2", str(place))}
        return Answer(400, {"errors": [error]})

    server.react = react
    outcomes = SendGridSender(CONFIG, "k", transport).send(batch(20))
    assert [outcome.index for outcome in outcomes if outcome.verdict is Verdict.REJECTED] == [12]
    assert len(server.requests) == 3


def test_a_request_above_the_limit_is_cut_before_it_is_posted(
    server: RecordingServer, transport: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender = SendGridSender(CONFIG, "k", transport)
    sender.send(batch(8))
    monkeypatch.setattr(module, "MAX_REQUEST_BYTES", len(server.requests[0].body) - 1)
    outcomes = sender.send(batch(8))
    assert {outcome.verdict for outcome in outcomes} == {Verdict.ACCEPTED}
    assert [len(r.document["personalizations"]) for r in server.requests] == [8, 4, 4]
    monkeypatch.setattr(module, "MAX_REQUEST_BYTES", 10)
    [outcome] = sender.send(batch(1))
    assert (outcome.verdict, outcome.code) == (Verdict.REJECTED, "message_too_large")


@pytest.mark.parametrize(
    ("errors", "verdict"),
    [
        ([{"message": "x", "field": "from.email"}], Verdict.SENDER_FAULT),
        ([{"message": "x", "field": "reply_to"}], Verdict.SENDER_FAULT),
        ([{"message": "x", "field": "subject"}], Verdict.REJECTED),
        ([{"message": "x"}], Verdict.REJECTED),
        (["x"], Verdict.REJECTED),
        (None, Verdict.REJECTED),
    ],
)
def test_errors_of_a_request_with_one_recipient(
    server: RecordingServer, transport: Transport, errors: object, verdict: Verdict
) -> None:
    server.react = lambda _: Answer(400, json.dumps({"errors": errors}).encode())
    [outcome] = SendGridSender(CONFIG, "k", transport).send(batch(1))
    assert (outcome.verdict, outcome.code) == (verdict, "400")


def test_at_most_ten_categories(server: RecordingServer, transport: Transport) -> None:
    SendGridSender(CONFIG, "k", transport).send(batch(1, tags=tuple("abcdefghijkl")))
    assert server.requests[0].document["categories"] == list("abcdefghij")
