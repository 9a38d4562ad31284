"""What an ESP's answer over HTTP means, where the ESP's own code says nothing better.

The three send adapters share this and the flow around a request; each has its
own table of codes beside it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import orjson

from shared.mail import Extras, OutgoingBatch, OutgoingRecipient, SendOutcome, Verdict
from shared.providers.isolating import Post, Refused, send_isolating
from shared.transport import AnswerLost, NotSent, Response, Transport

UNSAFE_HEADER = "unsafe_header"
TOO_LARGE = "message_too_large"
NOT_TEXT = "not_unicode"
UNREADABLE = "unreadable_answer"

STATUSES: Mapping[int, Verdict] = {
    401: Verdict.UNAVAILABLE,
    402: Verdict.UNAVAILABLE,
    403: Verdict.UNAVAILABLE,
    404: Verdict.SENDER_FAULT,  # a wrong base_url: no fault of any recipient
    405: Verdict.SENDER_FAULT,
    407: Verdict.SENDER_FAULT,
    408: Verdict.IN_DOUBT,
    415: Verdict.SENDER_FAULT,
    429: Verdict.NOT_ACCEPTED,
}
"""HTTP statuses that do not mean what their hundred means."""

_DETAIL_LENGTH = 200
_ADDRESS = re.compile(r"[^\s<>\"'(),:;=\[\]]+@[^\s<>\"'(),:;=\[\]]+")
_BREAKS = re.compile(r"[\r\n\0]")
_CLIENT, _SERVER, _MULTIPLE = 400, 500, 300


@dataclass(frozen=True, slots=True)
class Failure:
    """Why nobody of a request was accepted for certain; the same for all of them."""

    verdict: Verdict
    code: str
    detail: str = ""
    retry_after: float | None = None

    def outcomes(self, recipients: Iterable[OutgoingRecipient]) -> list[SendOutcome]:
        """As the outcome of each recipient."""
        return [
            SendOutcome(
                one.index, self.verdict, self.code, self.detail, retry_after=self.retry_after
            )
            for one in recipients
        ]


def verdict_of_status(status: int) -> Verdict | None:
    """What a status other than the ESP's success means; None: this request is refused.

    A refused request rejects its recipient if it has only one.
    """
    if status in STATUSES:
        return STATUSES[status]
    if _CLIENT <= status < _SERVER:
        return None
    if _MULTIPLE <= status < _CLIENT:
        return Verdict.SENDER_FAULT  # a redirect, never followed: base_url is wrong
    return Verdict.IN_DOUBT


def judge(
    response: Response,
    *,
    code: str,
    detail: str,
    verdict: Verdict | None,
    named: frozenset[int] = frozenset(),
) -> Failure | Refused:
    """A request-level answer as a failure of all, or as refused.

    `verdict` is what the ESP's own code says, and outranks the status; with
    None the status decides. A request-level `rejected` is a refusal: who of
    the request it is for has still to be found.
    """
    meaning = verdict or verdict_of_status(response.status)
    detail = scrub(detail)
    if meaning is None or meaning is Verdict.REJECTED:
        return Refused(code, detail, named)
    return Failure(meaning, code, detail, retry_after(response))


Read = Callable[[Response], list[SendOutcome] | Failure | Refused]
"""What an ESP's answer says of the recipients of the request."""


def post(
    transport: Transport,
    path: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    part: Sequence[OutgoingRecipient],
    read: Read,
) -> list[SendOutcome] | Refused:
    """Posts once and reads the answer; what the network does becomes outcomes, no exception."""
    try:
        found = read(transport.post(path, body, headers))
    except NotSent as error:
        found = Failure(Verdict.NOT_ACCEPTED, error.reason, str(error))
    except AnswerLost as error:
        found = Failure(Verdict.IN_DOUBT, error.reason, str(error))
    return found.outcomes(part) if isinstance(found, Failure) else found


def unreadable(response: Response) -> Failure:
    """A success whose body is not what the ESP documents: it may well have been accepted."""
    return Failure(
        Verdict.IN_DOUBT,
        UNREADABLE,
        f"status {response.status} with a body that is not as the ESP documents it",
    )


def deliver(
    batch: OutgoingBatch,
    split: Callable[[OutgoingBatch], Iterable[Sequence[OutgoingRecipient]]],
    send: Post,
) -> list[SendOutcome]:
    """The flow of all three adapters: one outcome per recipient, in the batch's order.

    `split` says who goes into one request; `send` posts such a request. Mail
    whose subject, names or headers hold CR, LF or NUL is rejected unposted.
    """
    unsafe = unsafe_indexes(batch)
    safe = batch
    if unsafe:
        safe = batch.only([one for one in batch.recipients if one.index not in unsafe])
    outcomes = send_isolating(split(safe), send) if safe.recipients else {}
    for index in unsafe:
        outcomes[index] = SendOutcome(
            index,
            Verdict.REJECTED,
            UNSAFE_HEADER,
            "the subject, a name or a header has a line break or a NUL in it",
        )
    return [outcomes[one.index] for one in batch.recipients]


def unsafe_indexes(batch: OutgoingBatch) -> set[int]:
    """The recipients to whom a header with CR, LF or NUL would go."""
    reply_to = batch.reply_to or batch.sender
    common = (
        *(batch.sender.address, batch.sender.name, reply_to.address, reply_to.name),
        *batch.subject.literals,
        *batch.headers,
        *batch.headers.values(),
        *batch.tags,
        *_of_extras(batch.extras),
    )
    if _BREAKS.search("".join(common)):
        return {one.index for one in batch.recipients}
    return _unsafe_of(batch.recipients, sorted(set(batch.subject.slots)))


def _unsafe_of(recipients: Sequence[OutgoingRecipient], slots: Sequence[int]) -> set[int]:
    """Those of the recipients to whom it would go because of themselves.

    What is looked at is joined, for all of them first: it is seldom that there
    is any, and a call for each would be more than the search itself.
    """
    own = [text for one in recipients for text in (one.to.address, one.to.name, one.message_id)]
    headers = [
        text for one in recipients for name in one.headers for text in (name, one.headers[name])
    ]
    values = [one.values[slot] for one in recipients for slot in slots]
    if not _BREAKS.search("".join(own + headers + values)):
        return set()
    if len(recipients) == 1:
        return {recipients[0].index}
    return {index for one in recipients for index in _unsafe_of([one], slots)}


def _of_extras(extras: Extras | None) -> Iterator[str]:
    """What of a single message's extras stands in headers."""
    if extras is None:
        return
    for mailbox in (*extras.cc, *extras.bcc):
        yield from (mailbox.address, mailbox.name)
    for file in extras.attachments:
        yield from (file.filename, file.content_type, file.content_id)
    for item in extras.metadata.items():
        yield from item


NOT_UNICODE = Refused(NOT_TEXT, "the mail holds text that is not valid Unicode")


def encode(document: object) -> bytes | Refused:
    """The document as JSON; refused if some text in it is not Unicode (a lone surrogate)."""
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:
        return NOT_UNICODE


def encode_lines(documents: Iterable[object]) -> bytes | Refused:
    """As `encode`, each on a line of its own: inside of JSON a line break is always escaped."""
    try:
        return b"\n".join([orjson.dumps(document) for document in documents])
    except orjson.JSONEncodeError:
        return NOT_UNICODE


def decode(body: bytes) -> object:
    """The body as JSON, or None if it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def too_large(limit: int) -> Refused:
    """The refusal, without a request, of one that the ESP would not take for its size."""
    return Refused(TOO_LARGE, f"the request would have more than {limit} bytes")


def scrub(text: str) -> str:
    """Text from an ESP for people: without addresses, and short."""
    return _ADDRESS.sub("<address>", text)[:_DETAIL_LENGTH]


def retry_after(response: Response) -> float | None:
    """Seconds until the ESP wants to be asked again, or None where it does not say.

    From Retry-After (RFC 9110, 10.2.3: seconds or a date), else from
    X-RateLimit-Reset (SendGrid: epoch seconds). Instants are measured against
    the answer's own Date, so that our clock does not come into it.
    """
    after = response.headers.get("retry-after", "").strip()
    if after.isdecimal():
        return float(after)
    then = _epoch(after) if after else None
    if then is None:
        reset = response.headers.get("x-ratelimit-reset", "").strip()
        then = float(reset) if reset.isdecimal() else None
    now = _epoch(response.headers.get("date", ""))
    return None if then is None or now is None else max(0.0, then - now)


def _epoch(date: str) -> float | None:
    try:
        return parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None
