"""The same tests over the senders of all ESPs, each against a server that talks its dialect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from shared.delivery.ports import EmailSender
from shared.mail import (
    Attachment,
    Extras,
    Mailbox,
    OutgoingBatch,
    SendOutcome,
    Skeleton,
    Verdict,
)
from shared.providers.isolating import most_requests
from shared.transport import Transport
from tests.contracts.dialects import DIALECTS, EXTRAS, Dialect, batch, single_message
from tests.recording_server import (
    Answer,
    Hang,
    Reaction,
    Recorded,
    RecordingServer,
    Reset,
    free_port,
    recording_server,
)


@pytest.fixture(params=DIALECTS, ids=lambda dialect: dialect.name)
def esp(request: pytest.FixtureRequest) -> Dialect:
    dialect: Dialect = request.param
    return dialect


@pytest.fixture
def server(esp: Dialect) -> Iterator[RecordingServer]:
    with recording_server() as running:
        running.react = esp.accept
        yield running


@pytest.fixture
def sender(esp: Dialect, server: RecordingServer) -> Iterator[EmailSender]:
    transport = Transport(server.url, connect_timeout_s=2, read_timeout_s=0.5)
    yield esp.sender(transport)
    transport.close()


def verdicts(outcomes: list[SendOutcome]) -> list[Verdict]:
    return [outcome.verdict for outcome in outcomes]


def assert_one_each(outcomes: list[SendOutcome], mail: OutgoingBatch) -> None:
    assert [outcome.index for outcome in outcomes] == [one.index for one in mail.recipients]
    assert not any("@example" in outcome.detail for outcome in outcomes)


@pytest.mark.parametrize("count", [1, 2, 3, 50])
def test_accepts_with_the_esps_message_ids(
    sender: EmailSender, server: RecordingServer, count: int
) -> None:
    mail = batch(count)
    outcomes = sender.send(mail)
    assert_one_each(outcomes, mail)
    assert verdicts(outcomes) == [Verdict.ACCEPTED] * count
    assert all(outcome.provider_message_id for outcome in outcomes)
    assert len(server.requests) == 1


def test_everybody_gets_the_mail_that_direct_rendering_gives(
    esp: Dialect, sender: EmailSender, server: RecordingServer
) -> None:
    mail = batch(7)
    sender.send(mail)
    sender.send(mail.only(mail.recipients[:1]))
    got = [rendered for request in server.requests for rendered in esp.mails(request)]
    for one, rendered in zip((*mail.recipients, mail.recipients[0]), got, strict=True):
        assert rendered.to == one.to.address
        assert rendered.message_id == one.message_id
        assert rendered.subject == mail.subject.fill(one.values)
        assert mail.text
        assert rendered.text == mail.text.fill(one.values)
        assert mail.html
        assert rendered.html == mail.html.fill(one.values)
        assert rendered.headers == {**mail.headers, **one.headers}


def test_a_single_message_has_its_copies_files_and_metadata(
    esp: Dialect, sender: EmailSender, server: RecordingServer
) -> None:
    [outcome] = sender.send(single_message())
    assert outcome.verdict is Verdict.ACCEPTED
    [rendered] = esp.mails(server.requests[0])
    assert rendered.cc == tuple(box.address for box in EXTRAS.cc)
    assert rendered.bcc == tuple(box.address for box in EXTRAS.bcc)
    assert rendered.files == EXTRAS.attachments
    assert rendered.metadata == EXTRAS.metadata
    assert rendered.message_id == "mid_0-x"


def test_metadata_cannot_be_taken_for_something_else(
    esp: Dialect, sender: EmailSender, server: RecordingServer
) -> None:
    taken = {"email": "x", "event": "bounce", "tag": "y", "category": "z"}
    sender.send(replace(single_message(), extras=Extras(metadata=taken)))
    document = server.requests[0].document
    match esp.name:
        case "sendgrid":  # custom arguments come back beside the fields of the event
            assert not taken.keys() & document["custom_args"].keys()
        case "ses":
            names = [tag["Name"] for tag in document["EmailTags"]]
            assert len(set(names)) == len(names)
    [rendered] = esp.mails(server.requests[0])
    assert rendered.metadata == taken


def test_a_part_that_is_not_there_is_not_sent(
    esp: Dialect, sender: EmailSender, server: RecordingServer
) -> None:
    sender.send(batch(2, text=None, tags=(), reply_to=None, headers={}))
    assert [mail.text for mail in esp.mails(server.requests[0])] == [None, None]


def test_more_than_one_request_holds_is_split(sender: EmailSender, server: RecordingServer) -> None:
    mail = batch(sender.max_batch + 1)
    outcomes = sender.send(mail)
    assert_one_each(outcomes, mail)
    assert set(verdicts(outcomes)) == {Verdict.ACCEPTED}
    assert len(server.requests) == 2


def test_throttled_is_not_accepted_and_says_when_to_return(
    sender: EmailSender, server: RecordingServer
) -> None:
    server.react = lambda _: Answer(429, b"", {"Retry-After": "7"})
    mail = batch()
    outcomes = sender.send(mail)
    assert_one_each(outcomes, mail)
    assert verdicts(outcomes) == [Verdict.NOT_ACCEPTED] * 3
    assert [outcome.retry_after for outcome in outcomes] == [7.0] * 3
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
@pytest.mark.parametrize("count", [1, 3])
def test_a_server_error_leaves_doubt_and_is_not_repeated(
    sender: EmailSender, server: RecordingServer, status: int, count: int
) -> None:
    server.react = lambda _: Answer(status, b"<html>")
    outcomes = sender.send(batch(count))
    assert verdicts(outcomes) == [Verdict.IN_DOUBT] * count
    assert {outcome.code for outcome in outcomes} == {str(status)}
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("reaction", "code"), [(Hang(), "read_timeout"), (Reset(), "connection_lost")]
)
def test_a_lost_answer_leaves_doubt_and_is_not_repeated(
    sender: EmailSender, server: RecordingServer, reaction: Reaction, code: str
) -> None:
    server.react = lambda _: reaction
    outcomes = sender.send(batch())
    assert verdicts(outcomes) == [Verdict.IN_DOUBT] * 3
    assert {outcome.code for outcome in outcomes} == {code}
    assert len(server.requests) == 1


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b"null", b'[{"a": 1}]'])
def test_a_success_that_cannot_be_read_leaves_doubt(
    esp: Dialect, sender: EmailSender, server: RecordingServer, body: bytes, count: int
) -> None:
    server.react = lambda _: Answer(201 if esp.name == "sendgrid" else 200, body)
    assert verdicts(sender.send(batch(count))) == [Verdict.IN_DOUBT] * count
    assert len(server.requests) == 1


def test_no_connection_is_not_accepted(esp: Dialect) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    transport = Transport(nowhere, connect_timeout_s=2, read_timeout_s=0.5)
    outcomes = esp.sender(transport).send(batch())
    assert verdicts(outcomes) == [Verdict.NOT_ACCEPTED] * 3
    assert {outcome.code for outcome in outcomes} == {"connect_failed"}


@pytest.mark.parametrize("count", [1, 3])
def test_bad_credentials_are_out_of_service(
    esp: Dialect, sender: EmailSender, server: RecordingServer, count: int
) -> None:
    for answer in (esp.unauthorised(), esp.out_of_service(), Answer(401), Answer(403)):
        server.react = lambda _, given=answer: given  # type: ignore[misc]  # binds the loop's
        assert verdicts(sender.send(batch(count))) == [Verdict.UNAVAILABLE] * count


@pytest.mark.parametrize("count", [1, 3])
def test_a_fault_of_the_sender_is_no_recipients(
    esp: Dialect, sender: EmailSender, server: RecordingServer, count: int
) -> None:
    for answer in (esp.fault_of_sender(), Answer(404), Answer(302, b"", {"Location": "/x"})):
        server.react = lambda _, given=answer: given  # type: ignore[misc]  # binds the loop's
        assert verdicts(sender.send(batch(count))) == [Verdict.SENDER_FAULT] * count
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_4xx_on_one_recipient_rejects_that_person(
    sender: EmailSender, server: RecordingServer, status: int
) -> None:
    server.react = lambda _: Answer(status, b"what?")
    [outcome] = sender.send(batch(1))
    assert (outcome.verdict, outcome.code) == (Verdict.REJECTED, str(status))


def test_the_esps_words_are_kept_but_no_address(
    esp: Dialect, sender: EmailSender, server: RecordingServer
) -> None:
    server.react = lambda _: esp.refuse()
    [outcome] = sender.send(batch(1))
    assert outcome.verdict is Verdict.REJECTED
    assert "<address>" in outcome.detail
    assert "@example" not in outcome.detail


@pytest.mark.parametrize("count", [2, 3, 8, 50])
def test_one_bad_recipient_is_found_and_the_others_are_mailed_once(
    esp: Dialect, sender: EmailSender, server: RecordingServer, count: int
) -> None:
    bad = f"person{count // 2}@example.com"
    mailed: list[str] = []

    def react(request: Recorded) -> Answer:
        people = [mail.to for mail in esp.mails(request)]
        if bad in people:
            return esp.refuse()
        mailed.extend(people)
        return esp.accept(request)

    server.react = react
    mail = batch(count)
    outcomes = sender.send(mail)
    assert_one_each(outcomes, mail)
    for one, outcome in zip(mail.recipients, outcomes, strict=True):
        expected = Verdict.REJECTED if one.to.address == bad else Verdict.ACCEPTED
        assert outcome.verdict is expected
    assert sorted(mailed) == sorted(o.to.address for o in mail.recipients if o.to.address != bad)
    assert len(server.requests) <= most_requests(count)


def test_mail_that_is_refused_in_every_form_is_the_senders_fault(
    esp: Dialect, sender: EmailSender, server: RecordingServer
) -> None:
    server.react = lambda _: esp.refuse()
    outcomes = sender.send(batch(50))
    assert set(verdicts(outcomes)) == {Verdict.SENDER_FAULT}
    assert len(server.requests) == most_requests(50)


def test_an_outage_in_the_middle_of_the_search_stops_it(
    esp: Dialect, sender: EmailSender, server: RecordingServer
) -> None:
    def react(_: Recorded) -> Answer:
        return esp.refuse() if len(server.requests) == 1 else Answer(500)

    server.react = react
    outcomes = sender.send(batch(8))
    assert verdicts(outcomes) == [Verdict.IN_DOUBT] * 4 + [Verdict.NOT_ACCEPTED] * 4
    assert len(server.requests) == 2


@pytest.mark.parametrize("break_", ["\r", "\n", "\0", "\r\nBcc: victim@example.com"])
def test_a_line_break_in_a_header_is_rejected_unposted(
    sender: EmailSender, server: RecordingServer, break_: str
) -> None:
    mail = batch(2)
    first, second = mail.recipients
    for bad in (
        replace(mail, sender=Mailbox("a@example.org", f"x{break_}")),
        replace(mail, reply_to=Mailbox("a@example.org", f"x{break_}")),
        replace(mail, headers={"X-A": f"x{break_}"}),
        replace(mail, headers={f"X-A{break_}": "x"}),
        replace(mail, subject=Skeleton((f"x{break_}",))),
        replace(mail, extras=Extras(cc=(Mailbox("a@example.org", f"x{break_}"),))),
        replace(mail, extras=Extras(bcc=(Mailbox(f"a@example.org{break_}"),))),
        replace(mail, extras=Extras(attachments=(Attachment(f"x{break_}", "a/b", "eA=="),))),
        replace(mail, extras=Extras(metadata={"a": f"x{break_}"})),
    ):
        outcomes = sender.send(bad)
        assert verdicts(outcomes) == [Verdict.REJECTED] * 2
        assert {outcome.code for outcome in outcomes} == {"unsafe_header"}
    assert server.requests == []
    for person in (
        replace(first, to=Mailbox("a@example.com", f"x{break_}")),
        replace(first, to=Mailbox(f"a@example.com{break_}")),
        replace(first, headers={"List-Unsubscribe": f"<x>{break_}"}),
        replace(first, values=(f"x{break_}", "in the body it may be")),
    ):
        outcomes = sender.send(mail.only([person, second]))
        assert verdicts(outcomes) == [Verdict.REJECTED, Verdict.ACCEPTED]


def test_text_that_is_not_unicode_rejects_only_its_recipient(sender: EmailSender) -> None:
    mail = batch(4)
    bad = replace(mail.recipients[2], values=("\ud800", ""))
    outcomes = sender.send(mail.only([*mail.recipients[:2], bad, mail.recipients[3]]))
    accepted = Verdict.ACCEPTED
    assert verdicts(outcomes) == [accepted, accepted, Verdict.REJECTED, accepted]
    assert outcomes[2].code == "not_unicode"


def test_connections_are_kept(sender: EmailSender, server: RecordingServer) -> None:
    for _ in range(4):
        sender.send(batch(2))
    assert len({request.connection for request in server.requests}) == 1


def test_an_ordinary_address_can_be_taken(sender: EmailSender) -> None:
    assert sender.cannot_take("someone@bücher.example") == ""
