"""When an ESP refuses a whole request because of one recipient: find that one, mail the others.

The recipient whom the answer names is taken out and posted alone; if it names
nobody, the request is cut in halves. Only a refusal of a request with a single
recipient rejects that person. Pure: all I/O is in the `post` that is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from shared.mail import OutgoingRecipient, SendOutcome, Verdict

REFUSED_THROUGHOUT = "refused_throughout"
NOT_POSTED = "not_posted"

_SPLITS = 4
"""Requests beyond the first, per halving of a batch: two hidden bad recipients are found."""

_GO_ON = frozenset({Verdict.ACCEPTED, Verdict.REJECTED})


@dataclass(frozen=True, slots=True)
class Refused:
    """The request was refused as a whole, surely nobody of it was mailed.

    `named` holds the places in the request of the recipients whom the ESP
    blames; it is empty where it blames none.
    """

    code: str
    detail: str = ""
    named: frozenset[int] = frozenset()


Post = Callable[[Sequence[OutgoingRecipient]], list[SendOutcome] | Refused]
"""Posts one request; gives an outcome for each of its recipients, or says it was refused."""


def most_requests(recipients: int) -> int:
    """How many requests are made for one group at the most: 1 + 4 log2 of its size, rounded up."""
    return 1 + _SPLITS * (recipients - 1).bit_length()


def send_isolating(
    groups: Iterable[Sequence[OutgoingRecipient]], post: Post
) -> dict[int, SendOutcome]:
    """Posts each group as one request, and as smaller ones where a request is refused.

    Gives one outcome per recipient, by `index`. As soon as a request fails for
    another reason than its recipients (throttled, out of service, in doubt),
    nothing more is posted: the rest is `not_accepted`, so that an outage
    leaves one request in doubt and not many. If a group is used up to its
    bound and no part of it was ever accepted, the mail is at fault and not
    the people: the whole group is `sender_fault`. If some of it was accepted,
    what is left is `not_accepted` and a later attempt goes on with fewer people.
    """
    outcomes: dict[int, SendOutcome] = {}
    stopped: SendOutcome | None = None
    for group in groups:
        if stopped is None:
            stopped = _send_group(group, post, outcomes)
        else:
            _leave(group, stopped, outcomes)
    return outcomes


def _send_group(
    group: Sequence[OutgoingRecipient], post: Post, outcomes: dict[int, SendOutcome]
) -> SendOutcome | None:
    """Returns the outcome because of which nothing more is to be posted, if there is one."""
    waiting = [group]
    left = most_requests(len(group))
    taken = False
    last = Refused("")
    while waiting and left:
        part = waiting.pop()
        left -= 1
        answer = post(part)
        if isinstance(answer, Refused):
            last = answer
            if len(part) == 1:
                index = part[0].index
                outcomes[index] = SendOutcome(index, Verdict.REJECTED, last.code, last.detail)
            else:
                waiting.extend(_parts(part, last.named))
            continue
        for outcome in answer:
            outcomes[outcome.index] = outcome
        trouble = next((one for one in answer if one.verdict not in _GO_ON), None)
        if trouble is not None:
            for rest in waiting:
                _leave(rest, trouble, outcomes)
            return trouble
        taken = True
    if waiting and not taken:
        for one in group:
            outcomes[one.index] = SendOutcome(
                one.index,
                Verdict.SENDER_FAULT,
                REFUSED_THROUGHOUT,
                f"every part of the request was refused, at last with {last.code}: {last.detail}",
            )
        return outcomes[group[0].index]
    for rest in waiting:
        _leave(rest, SendOutcome(0, Verdict.NOT_ACCEPTED, last.code), outcomes)
    return None


def _parts(
    part: Sequence[OutgoingRecipient], named: frozenset[int]
) -> list[Sequence[OutgoingRecipient]]:
    """Smaller requests, the one to post first at the end."""
    if not named or max(named) >= len(part):
        middle = len(part) // 2
        return [part[middle:], part[:middle]]
    alone: list[Sequence[OutgoingRecipient]] = [[part[i]] for i in sorted(named)]
    others = [one for i, one in enumerate(part) if i not in named]
    return [*alone, others] if others else alone


def _leave(
    part: Sequence[OutgoingRecipient], why: SendOutcome, outcomes: dict[int, SendOutcome]
) -> None:
    for one in part:
        outcomes[one.index] = SendOutcome(
            one.index,
            Verdict.NOT_ACCEPTED,
            NOT_POSTED,
            f"not posted, since an earlier request of the batch ended with {why.code}",
            retry_after=why.retry_after,
        )
