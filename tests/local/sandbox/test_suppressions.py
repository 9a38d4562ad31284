"""The ESPs' own lists: what fills them, what they stop, and a whole sync against them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from local.sandbox.server import Sandbox
from local.sandbox.suppressions import Why
from shared.audience.model import SuppressionReason
from shared.audience.suppressions.lifting import LiftStep
from shared.audience.suppressions.ports import ProviderSuppressions
from shared.audience.suppressions.syncing import SyncStep
from shared.clock import SystemClock
from shared.config import PostmarkProvider, SendGridProvider
from shared.providers.pacing import Pace
from shared.providers.postmark.suppressions import PostmarkSuppressions
from shared.providers.sendgrid.suppressions import SendGridSuppressions
from shared.providers.ses.suppressions import SesSuppressions
from tests.local.sandbox.conftest import Call, aws_client, simple_mail
from tests.shared.audience.suppressions.world import World

ANN = "ann@example.com"
PACE = Pace(1e9)


def accounts(sandbox: Sandbox) -> dict[str, Callable[[], ProviderSuppressions]]:
    identity = sandbox.identity()
    sendgrid = SendGridProvider(
        name="sendgrid", kind="sendgrid", weight=1, secret="s", base_url=f"{sandbox.url}/sendgrid"
    )
    postmark = PostmarkProvider(
        name="postmark", kind="postmark", weight=1, secret="s", base_url=f"{sandbox.url}/postmark"
    )
    client = aws_client("sesv2", f"{sandbox.url}/ses")
    return {
        "sendgrid": lambda: SendGridSuppressions(sendgrid, identity.sendgrid_api_key, PACE),
        "postmark": lambda: PostmarkSuppressions(postmark, identity.postmark_server_token, PACE),
        "ses": lambda: SesSuppressions("ses", lambda: client, PACE),
    }


def connected(sandbox: Sandbox) -> World:
    """A deployment over fakes whose providers are the sandbox."""
    world = World()
    world.clock.set(SystemClock().now())
    found = accounts(sandbox)
    world.sync_step = SyncStep(
        accounts=lambda: found,
        known=world.known,
        learning=world.learning,
        subscribers=world.subscribers,
        suppressions=world.suppressions,
        consent=world.consent,
        workspaces=world.workspaces,
        sleep=world.pauses.append,
    )
    world.lift_step = LiftStep(
        accounts=lambda: found,
        known=world.known,
        suppressions=world.suppressions,
        workspaces=world.workspaces,
        ids=world.ids,
        sleep=world.pauses.append,
    )
    return world


def test_a_whole_sync_and_a_removal(sandbox: Sandbox, behave: Callable[..., None]) -> None:
    behave(providers={"ses": {"suppressed": [ANN]}})
    world = connected(sandbox)
    world.clock.advance(seconds=1)
    person = world.add(ANN)

    job = world.run_sync()
    providers = job.progress["providers"]
    assert [one["error"] for one in providers.values()] == ["", "", ""]
    assert providers["ses"]["pulled"] == 1
    assert (providers["sendgrid"]["pushed"], providers["postmark"]["pushed"]) == (1, 1)
    entry = world.entry(ANN)
    assert entry is not None
    assert (entry.reason, entry.source) == (SuppressionReason.HARD_BOUNCE, "sync:ses")
    again = world.run_sync().progress["providers"]
    assert [one["pushed"] + one["suppressed"] for one in again.values()] == [0, 0, 0]

    removed = world.list.remove(world.ws, person.id, confirmed=False, at_providers=True)
    lifted = world.run(world.jobs.get(world.ws, removed.job)).progress
    assert lifted == {
        "lifted": ["postmark", "sendgrid", "ses"], "errors": {}, "held_elsewhere": False,
    }  # fmt: skip
    world.run_sync()
    assert world.entry(ANN) is None
    lists = sandbox.mailbox.lists
    assert not any(lists.entries(name) for name in ("sendgrid", "ses"))
    assert not lists.entries("postmark", "broadcast")


def test_an_event_fills_postmarks_list_of_its_stream_alone(
    postmark: Any, sandbox: Sandbox, call: Call
) -> None:
    postmark.emails.send(**simple_mail("ann@example.com", MessageStream="broadcast"))
    (message,) = sandbox.mailbox.search()
    event = {"message_id": message.id, "type": "complained"}
    call("POST", "/_sandbox/events", event)
    lists = sandbox.mailbox.lists
    found = lists.find("postmark", "Ann@Example.com", "broadcast")
    assert found is not None
    assert found.why is Why.COMPLAINT
    assert not lists.has("postmark", ANN, "outbound")
    answer = postmark.emails.send(**simple_mail(ANN, MessageStream="outbound"))
    assert answer["ErrorCode"] == 0


def test_what_happened_outweighs_what_was_placed(sandbox: Sandbox) -> None:
    lists = sandbox.mailbox.lists
    lists.put("ses", ANN, Why.PLACED)
    lists.put("ses", ANN, Why.BOUNCE)
    lists.put("ses", ANN, Why.COMPLAINT)
    assert [entry.why for entry in lists.entries("ses")] == [Why.BOUNCE]
    assert not lists.take_off("ses", ANN, Why.PLACED)
    assert lists.take_off("ses", ANN, Why.BOUNCE)
    assert lists.entries("ses") == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/sendgrid/v3/suppression/bounces", 401),
        ("GET", "/postmark/message-streams/outbound/suppressions/dump", 401),
        ("GET", "/ses/v2/email/suppression/addresses", 403),
    ],
)
def test_nobody_reads_without_a_key(call: Call, method: str, path: str, status: int) -> None:
    assert call(method, path)[0] == status
