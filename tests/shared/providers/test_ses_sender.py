from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from email.header import decode_header, make_header

import pytest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import CredentialRetrievalError
from hypothesis import given
from hypothesis import strategies as st

from shared.config import SesProvider
from shared.mail import Mailbox, Skeleton, Verdict
from shared.providers.ses import addresses, requests
from shared.providers.ses.codes import ERRORS, STATUSES
from shared.providers.ses.sender import BULK_PATH, SINGLE_PATH, SesSender
from shared.providers.ses.template import Tags
from shared.transport import Transport
from tests.contracts.dialects import CREDENTIALS, Ses, batch, handlebars
from tests.recording_server import Answer, RecordingServer, recording_server

CONFIG = SesProvider(name="ses", kind="ses", weight=1)


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with recording_server() as running:
        running.react = Ses().accept
        yield running


@pytest.fixture
def transport(server: RecordingServer) -> Iterator[Transport]:
    made = Transport(server.url, connect_timeout_s=2, read_timeout_s=5)
    yield made
    made.close()


@pytest.fixture
def sender(transport: Transport) -> SesSender:
    return SesSender(CONFIG, lambda: CREDENTIALS, transport)


BRACES = st.text(alphabet="{}\\ab", max_size=8)


@st.composite
def mails(draw: st.DrawFn) -> tuple[Skeleton, tuple[str, ...]]:
    values = draw(st.lists(BRACES, min_size=1, max_size=3))
    slots = draw(st.lists(st.integers(0, len(values) - 1), max_size=5))
    literals = draw(st.lists(BRACES, min_size=len(slots) + 1, max_size=len(slots) + 1))
    return Skeleton(tuple(literals), tuple(slots)), tuple(values)


@given(mails())
def test_a_template_gives_what_direct_filling_gives(
    mail: tuple[Skeleton, tuple[str, ...]],
) -> None:
    skeleton, values = mail
    tags = Tags()
    template = tags.template(skeleton)
    data = {**tags.static, **{f"v{slot}": values[slot] for slot in tags.slots}}
    assert handlebars(template, data) == skeleton.fill(values)


def test_static_text_without_braces_stays_as_it_is() -> None:
    tags = Tags()
    text = Skeleton(("a { color: red } Dear ", ", a\\b } {", "}"), (0, 1))
    assert tags.template(text) == "a { color: red } Dear {{v0}}, a\\b } {{s0}}{{v1}}{{s1}}"
    assert tags.static == {"s0": "{", "s1": "}"}


@pytest.mark.parametrize(("status", "verdict"), [*STATUSES.items(), ("NEW", Verdict.IN_DOUBT)])
def test_each_row_of_the_statuses(
    server: RecordingServer, sender: SesSender, status: str, verdict: Verdict
) -> None:
    results = [{"Status": "SUCCESS", "MessageId": "a"}, {"Status": status, "Error": "x@y.example"}]
    server.react = lambda _: Answer(200, {"BulkEmailEntryResults": results})
    first, second = sender.send(batch(2))
    assert (first.verdict, first.provider_message_id) == (Verdict.ACCEPTED, "a")
    assert second.verdict is verdict
    if verdict is not Verdict.ACCEPTED:
        assert (second.code, second.detail) == (status, "<address>")


@pytest.mark.parametrize(("kind", "verdict"), ERRORS.items())
@pytest.mark.parametrize("status", [400, 500])
def test_each_row_of_the_errors_outranks_the_status(
    server: RecordingServer,
    sender: SesSender,
    kind: str,
    verdict: Verdict | None,
    status: int,
) -> None:
    by_status = Verdict.REJECTED if status == 400 else Verdict.IN_DOUBT
    for answer in (
        Answer(status, {"message": "no"}, {"x-amzn-ErrorType": f"{kind}:http://x.example/"}),
        Answer(status, {"__type": f"com.amazon#{kind}", "Message": "no"}),
    ):
        server.react = lambda _, given=answer: given  # type: ignore[misc]  # binds the loop's
        [outcome] = sender.send(batch(1))
        assert outcome.verdict is (verdict or by_status)
        assert (outcome.code, outcome.detail) == (kind, "no")


@pytest.mark.parametrize(
    ("identities", "verdict"),
    [
        ("news@example.org", Verdict.SENDER_FAULT),
        ('"News" <news@example.org>, person0@example.com', Verdict.SENDER_FAULT),
        ("example.org", Verdict.SENDER_FAULT),
        ("person0@example.com", Verdict.REJECTED),
    ],
)
def test_an_identity_that_is_not_verified_may_be_the_senders(
    server: RecordingServer, sender: SesSender, identities: str, verdict: Verdict
) -> None:
    message = (
        "Email address is not verified. The following identities failed the check in region "
        f"US-EAST-1: {identities}"
    )
    server.react = lambda _: Answer(400, {"message": message, "__type": "MessageRejected"})
    [outcome] = sender.send(batch(1))
    assert outcome.verdict is verdict


def test_an_answer_to_fewer_people_leaves_doubt(server: RecordingServer, sender: SesSender) -> None:
    for results in ([{"Status": "SUCCESS"}], "x", ["x", 1]):
        server.react = lambda _, given=results: Answer(  # type: ignore[misc]  # binds the loop's
            200, {"BulkEmailEntryResults": given}
        )
        assert {outcome.verdict for outcome in sender.send(batch(2))} == {Verdict.IN_DOUBT}


def test_who_has_too_much_data_is_mailed_singly(server: RecordingServer, sender: SesSender) -> None:
    mail = batch(3)
    big = replace(mail.recipients[1], values=("x" * requests.MAX_REPLACEMENT_BYTES, ""))
    outcomes = sender.send(mail.only([mail.recipients[0], big, mail.recipients[2]]))
    assert [outcome.index for outcome in outcomes] == [10, 11, 12]
    assert [request.path for request in server.requests] == [BULK_PATH, SINGLE_PATH]


def test_a_template_that_is_too_large_makes_all_mail_single(
    server: RecordingServer, sender: SesSender
) -> None:
    sender.send(batch(3, html=Skeleton(("x" * requests.MAX_TEMPLATE_BYTES,))))
    assert [request.path for request in server.requests] == [SINGLE_PATH] * 3


def test_without_credentials_nothing_is_posted(
    server: RecordingServer, transport: Transport
) -> None:
    def none_there() -> ReadOnlyCredentials:
        raise CredentialRetrievalError(provider="iam-role", error_msg="no")

    [outcome] = SesSender(CONFIG, none_there, transport).send(batch(1))
    assert (outcome.verdict, outcome.code) == (Verdict.UNAVAILABLE, "no_credentials")
    assert server.requests == []


def test_tags_are_in_the_characters_that_ses_takes(
    server: RecordingServer, sender: SesSender
) -> None:
    sender.send(batch(2, tags=("Herbst 2026/ü", "", "b" * 300)))
    assert server.requests[0].document["DefaultEmailTags"] == [
        {"Name": "tag", "Value": "Herbst_2026_"},
        {"Name": "tag3", "Value": "b" * 256},
    ]


def test_common_headers_that_are_not_ascii_are_encoded(
    server: RecordingServer, sender: SesSender
) -> None:
    sender.send(batch(2, headers={"X-Team": "Zoë"}))
    [header] = server.requests[0].document["DefaultContent"]["Template"]["Headers"]
    assert header == {"Name": "X-Team", "Value": "=?utf-8?q?Zo=C3=AB?="}


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("someone@example.com", ""),
        ("someone@bücher.example", ""),
        ("jürgen@example.com", "internationalised_local_part"),
    ],
)
def test_an_internationalised_local_part_cannot_be_taken(
    sender: SesSender, address: str, reason: str
) -> None:
    assert sender.cannot_take(address) == reason


@pytest.mark.parametrize(
    ("box", "text"),
    [
        (Mailbox("a@b.example"), "a@b.example"),
        (Mailbox("a@bücher.example"), "a@xn--bcher-kva.example"),
        (Mailbox("a@..ü"), "a@..ü"),
        (Mailbox("a@b.example", "Plain Name"), "Plain Name <a@b.example>"),
        (Mailbox("a@b.example", "Last, First"), '"Last, First" <a@b.example>'),
        (Mailbox("a@b.example", "Zoë"), "=?utf-8?q?Zo=C3=AB?= <a@b.example>"),
    ],
)
def test_mailboxes(box: Mailbox, text: str) -> None:
    assert addresses.mailbox(box) == text


@given(st.text(alphabet='aü 漢<"', min_size=1, max_size=120))
def test_encoded_words_are_short_and_decode_to_the_text(text: str) -> None:
    encoded = addresses.encoded(text)
    if text.isascii():
        assert encoded == text
        return
    assert encoded.isascii()
    assert "\n" not in encoded
    assert max(len(word) for word in encoded.split(" ")) <= 75
    assert str(make_header(decode_header(encoded))) == text


def test_replacement_data_is_json_of_the_used_values_only(
    server: RecordingServer, sender: SesSender
) -> None:
    mail = batch(2, subject=Skeleton(("Hi",)), html=Skeleton(("x", ""), (1,)), text=None)
    sender.send(mail)
    data: list[Mapping[str, str]] = [
        json.loads(
            entry["ReplacementEmailContent"]["ReplacementTemplate"]["ReplacementTemplateData"]
        )
        for entry in server.requests[0].document["BulkEmailEntries"]
    ]
    assert data == [{"v1": one.values[1]} for one in mail.recipients]


BREAKS = ["\n", "\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"]


def test_each_recipient_gets_the_own_data_whatever_breaks_lines_in_it(
    server: RecordingServer, sender: SesSender
) -> None:
    mail = batch(len(BREAKS))
    people = [
        replace(one, values=(f"n{i}", f"a{text}b"))
        for i, (one, text) in enumerate(zip(mail.recipients, BREAKS, strict=True))
    ]
    sender.send(mail.only(people))
    [request] = server.requests
    for one, entry in zip(people, request.document["BulkEmailEntries"], strict=True):
        template = entry["ReplacementEmailContent"]["ReplacementTemplate"]
        data = json.loads(template["ReplacementTemplateData"])
        assert (data["v0"], data["v1"]) == one.values


def test_one_header_that_is_not_ascii_changes_nothing_for_the_others(
    server: RecordingServer, sender: SesSender
) -> None:
    mail = batch(3)
    odd = replace(
        mail.recipients[1], to=Mailbox("a@bücher.example", "Zoë"), headers={"X-Name": "Zoë"}
    )
    sender.send(mail)
    sender.send(mail.only([mail.recipients[0], odd, mail.recipients[2]]))
    plain, mixed = (request.document["BulkEmailEntries"] for request in server.requests)
    assert [mixed[0], mixed[2]] == [plain[0], plain[2]]
    assert mixed[1]["Destination"] == {
        "ToAddresses": ["=?utf-8?q?Zo=C3=AB?= <a@xn--bcher-kva.example>"]
    }
    assert mixed[1]["ReplacementHeaders"] == [{"Name": "X-Name", "Value": "=?utf-8?q?Zo=C3=AB?="}]


def test_text_that_is_not_unicode_costs_only_its_own_recipient(
    server: RecordingServer, sender: SesSender
) -> None:
    mail = batch(5)
    odd = replace(mail.recipients[2], values=("\ud800", ""))
    outcomes = sender.send(mail.only([*mail.recipients[:2], odd, *mail.recipients[3:]]))
    verdicts = [outcome.verdict for outcome in outcomes]
    assert verdicts == [*[Verdict.ACCEPTED] * 2, Verdict.REJECTED, *[Verdict.ACCEPTED] * 2]
    assert len(server.requests) == 1
