from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.config import PostmarkProvider
from shared.mail import Mailbox, Verdict
from shared.providers.postmark import sender as module
from shared.providers.postmark.sender import CODES, PostmarkSender
from shared.transport import Transport
from tests.contracts.dialects import Postmark, batch
from tests.recording_server import Answer, RecordingServer, recording_server

CONFIG = PostmarkProvider(name="pm", kind="postmark", weight=1, secret="pm")
REFUSALS = {code: verdict for code, verdict in CODES.items() if code}


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with recording_server() as running:
        running.react = Postmark().accept
        yield running


@pytest.fixture
def sender(server: RecordingServer) -> Iterator[PostmarkSender]:
    transport = Transport(server.url, connect_timeout_s=2, read_timeout_s=5)
    yield PostmarkSender(CONFIG, "token", transport)
    transport.close()


@pytest.mark.parametrize(("code", "verdict"), [*REFUSALS.items(), (999, Verdict.NOT_ACCEPTED)])
def test_each_row_of_the_codes_as_an_item(
    server: RecordingServer, sender: PostmarkSender, code: int, verdict: Verdict
) -> None:
    good = {"ErrorCode": 0, "Message": "OK", "MessageID": "a"}
    bad = {"ErrorCode": code, "Message": "to a@example.com: no"}
    server.react = lambda _: Answer(200, [good, bad, good])
    first, second, third = sender.send(batch(3))
    assert first.verdict is third.verdict is Verdict.ACCEPTED
    assert (second.verdict, second.code) == (verdict, str(code))
    assert second.detail == "to <address>: no"
    assert len(server.requests) == 1


@pytest.mark.parametrize(("code", "verdict"), REFUSALS.items())
@pytest.mark.parametrize("status", [422, 500])
def test_each_row_of_the_codes_as_a_request_outranks_the_status(
    server: RecordingServer, sender: PostmarkSender, code: int, verdict: Verdict, status: int
) -> None:
    server.react = lambda _: Answer(status, {"ErrorCode": code, "Message": "no"})
    [outcome] = sender.send(batch(1))
    assert (outcome.verdict, outcome.code) == (verdict, str(code))


@pytest.mark.parametrize(("status", "verdict"), [(422, Verdict.REJECTED), (500, Verdict.IN_DOUBT)])
def test_a_code_that_is_unknown_leaves_it_to_the_status(
    server: RecordingServer, sender: PostmarkSender, status: int, verdict: Verdict
) -> None:
    server.react = lambda _: Answer(status, {"ErrorCode": 999, "Message": "no"})
    [outcome] = sender.send(batch(1))
    assert (outcome.verdict, outcome.code) == (verdict, "999")


def test_an_item_without_a_code_leaves_doubt(
    server: RecordingServer, sender: PostmarkSender
) -> None:
    server.react = lambda _: Answer(200, [{"ErrorCode": 0, "MessageID": "a"}, {}, "x"])
    verdicts = [outcome.verdict for outcome in sender.send(batch(3))]
    assert verdicts == [Verdict.ACCEPTED, Verdict.IN_DOUBT, Verdict.IN_DOUBT]


def test_an_answer_to_fewer_people_leaves_doubt(
    server: RecordingServer, sender: PostmarkSender
) -> None:
    server.react = lambda _: Answer(200, [{"ErrorCode": 0, "MessageID": "a"}])
    assert {outcome.verdict for outcome in sender.send(batch(2))} == {Verdict.IN_DOUBT}


def test_a_request_above_the_limit_is_cut_before_it_is_posted(
    server: RecordingServer, sender: PostmarkSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.send(batch(4))
    monkeypatch.setattr(module, "MAX_REQUEST_BYTES", len(server.requests[0].body) - 1)
    outcomes = sender.send(batch(4))
    assert {outcome.verdict for outcome in outcomes} == {Verdict.ACCEPTED}
    assert [len(request.document) for request in server.requests] == [4, 2, 2]


def test_what_is_not_set_is_left_out(server: RecordingServer, sender: PostmarkSender) -> None:
    plain = Mailbox("news@example.org")
    sender.send(batch(1, text=None, reply_to=None, tags=(), sender=plain))
    [message] = server.requests[0].document
    assert message["From"] == "news@example.org"
    assert not {"TextBody", "ReplyTo", "Tag"} & set(message)
