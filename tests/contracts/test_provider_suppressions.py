"""The same cases over each ESP's adapter, which speaks to the sandbox by its SDK, and the fake."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from botocore.config import Config

from local.sandbox.behaviour import Document, Provider
from local.sandbox.identity import AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY
from local.sandbox.server import Sandbox
from local.sandbox.suppressions import Why
from shared.audience.model import SuppressionReason
from shared.audience.suppressions.ports import KnownAddress, Listed, ProviderSuppressions
from shared.clock import SystemClock
from shared.config import PostmarkProvider, SendGridProvider
from shared.errors import ConfigurationError, DependencyUnavailable
from shared.providers.pacing import Pace
from shared.providers.postmark.suppressions import PostmarkSuppressions
from shared.providers.sendgrid.suppressions import SendGridSuppressions
from shared.providers.ses.suppressions import SesSuppressions
from tests.fakes import FakeProviderSuppressions

BOUNCE, COMPLAINT = SuppressionReason.HARD_BOUNCE, SuppressionReason.COMPLAINT
REASONS = {
    Why.BOUNCE: BOUNCE,
    Why.COMPLAINT: COMPLAINT,
    Why.UNSUBSCRIBE: SuppressionReason.UNSUBSCRIBED,
}
NOW = SystemClock().now()
"""The true one: SES's SDK signs with it."""
PACE = Pace(1e9)
STREAM = "outbound"

AddressOf = Callable[[str], KnownAddress]


@dataclass
class Account:
    """An adapter and the list that it works on."""

    adapter: ProviderSuppressions
    happen: Callable[[str, Why], None]
    placed: Callable[[], set[str]]


def pulled(adapter: ProviderSuppressions, since: datetime | None = None) -> list[Listed]:
    found: list[Listed] = []
    cursor = ""
    for _ in range(500):
        page = adapter.pull(since or NOW - timedelta(days=200), NOW + timedelta(hours=2), cursor)
        found += page.entries
        cursor = page.cursor
        if not cursor:
            return found
    raise AssertionError("the pages have no end")


def known(address: str, reason: SuppressionReason = BOUNCE) -> KnownAddress:
    return KnownAddress(f"id of {address}", address, reason, NOW, "sync:x")


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    running = Sandbox(tmp_path_factory.mktemp("sandbox"))
    running.start()
    yield running
    running.stop()


def sendgrid(sandbox: Sandbox, key: str = "") -> SendGridSuppressions:
    config = SendGridProvider(
        name="sg", kind="sendgrid", weight=1, secret="s", base_url=f"{sandbox.url}/sendgrid"
    )
    return SendGridSuppressions(config, key or sandbox.identity().sendgrid_api_key, PACE)


def postmark(sandbox: Sandbox, token: str = "") -> PostmarkSuppressions:
    config = PostmarkProvider(
        name="pm", kind="postmark", weight=1, secret="s", base_url=f"{sandbox.url}/postmark"
    )
    return PostmarkSuppressions(config, token or sandbox.identity().postmark_server_token, PACE)


def ses(sandbox: Sandbox, secret: str = AWS_SECRET_ACCESS_KEY) -> SesSuppressions:
    client = boto3.client(
        "sesv2",
        region_name="us-east-1",
        endpoint_url=f"{sandbox.url}/ses",
        aws_access_key_id=AWS_ACCESS_KEY_ID,
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=5),
    )
    return SesSuppressions("ses", lambda: client, PACE)


ADAPTERS: dict[Provider, Callable[[Sandbox], ProviderSuppressions]] = {
    "sendgrid": sendgrid,
    "postmark": postmark,
    "ses": ses,
}


@pytest.fixture(params=[*ADAPTERS, "fake"])
def account(request: pytest.FixtureRequest) -> Account:
    if request.param == "fake":
        fake = FakeProviderSuppressions(most=10)

        def happen(address: str, why: Why) -> None:
            fake.own.append(Listed(address, REASONS[why], NOW))

        return Account(fake, happen, lambda: set(fake.placed))
    sandbox: Sandbox = request.getfixturevalue("sandbox")
    sandbox.behaviour.replace(Document())
    lists = sandbox.mailbox.lists
    lists.clear()
    name: Provider = request.param
    stream = STREAM if name == "postmark" else ""
    return Account(
        ADAPTERS[name](sandbox),
        lambda address, why: lists.put(name, address, why, stream),
        lambda: {entry.address for entry in lists.entries(name, stream)},
    )


def test_what_happened_there_is_pulled(account: Account) -> None:
    account.happen("bounced@example.com", Why.BOUNCE)
    account.happen("o'hara+x@example.com", Why.COMPLAINT)
    found = pulled(account.adapter)
    assert {entry.address: entry.reason for entry in found} == {
        "bounced@example.com": BOUNCE,
        "o'hara+x@example.com": COMPLAINT,
    }
    assert all(entry.at.tzinfo is UTC for entry in found)


def test_what_is_older_is_not(account: Account) -> None:
    account.happen("bounced@example.com", Why.BOUNCE)
    assert pulled(account.adapter, NOW + timedelta(hours=1)) == []


def test_what_we_place_is_on_the_list_and_comes_off(account: Account) -> None:
    entries = [known("a+b@example.com"), known("c'd@example.com", COMPLAINT)]
    assert account.adapter.place(entries) == frozenset()
    assert account.adapter.place(entries) == frozenset()
    assert account.placed() == {"a+b@example.com", "c'd@example.com"}
    account.adapter.take_away(["a+b@example.com"], own=False)
    account.adapter.take_away(["a+b@example.com", "nobody@example.com"], own=False)
    assert account.placed() == {"c'd@example.com"}


def test_the_providers_own_entry_comes_off_if_that_is_asked_for(account: Account) -> None:
    account.happen("bounced@example.com", Why.BOUNCE)
    account.adapter.take_away(["bounced@example.com"], own=True)
    assert pulled(account.adapter) == []


@pytest.mark.parametrize("name", ["sendgrid", "postmark"])
def test_the_providers_own_entry_stays_if_it_is_not(sandbox: Sandbox, name: Provider) -> None:
    stream = STREAM if name == "postmark" else ""
    lists = sandbox.mailbox.lists
    lists.clear()
    lists.put(name, "bounced@example.com", Why.BOUNCE, stream)
    ADAPTERS[name](sandbox).take_away(["bounced@example.com"], own=False)
    assert lists.has(name, "bounced@example.com", stream)


@pytest.mark.parametrize("name", ["sendgrid", "postmark"])
def test_unsubscriptions_are_pulled_where_there_are_any(sandbox: Sandbox, name: Provider) -> None:
    stream = STREAM if name == "postmark" else ""
    sandbox.mailbox.lists.clear()
    sandbox.mailbox.lists.put(name, "left@example.com", Why.UNSUBSCRIBE, stream)
    (entry,) = pulled(ADAPTERS[name](sandbox))
    assert (entry.address, entry.reason) == ("left@example.com", SuppressionReason.UNSUBSCRIBED)


def test_sendgrids_lists_are_read_in_pages(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.providers.sendgrid.suppressions.PAGE", 2)
    sandbox.mailbox.lists.clear()
    for number in range(5):
        sandbox.mailbox.lists.put("sendgrid", f"p{number}@example.com", Why.BOUNCE)
    sandbox.mailbox.lists.put("sendgrid", "c@example.com", Why.COMPLAINT)
    found = [entry.address for entry in pulled(sendgrid(sandbox))]
    assert sorted(found) == ["c@example.com", *(f"p{n}@example.com" for n in range(5))]


def test_ses_is_read_in_pages(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.providers.ses.suppressions.PAGE", 2)
    sandbox.mailbox.lists.clear()
    for number in range(5):
        sandbox.mailbox.lists.put("ses", f"p{number}@example.com", Why.BOUNCE)
    assert len(pulled(ses(sandbox))) == 5


def test_postmark_keeps_complaints_and_refuses_what_is_no_address(sandbox: Sandbox) -> None:
    lists = sandbox.mailbox.lists
    lists.clear()
    lists.put("postmark", "c@example.com", Why.COMPLAINT, STREAM)
    with pytest.raises(ConfigurationError, match="keeps an address"):
        postmark(sandbox).take_away(["c@example.com"], own=True)
    bad = known("no address")
    assert postmark(sandbox).place([bad, known("a@example.com")]) == {bad.id}


def test_postmark_is_told_on_every_stream(sandbox: Sandbox) -> None:
    sandbox.mailbox.lists.clear()
    postmark(sandbox).place([known("a@example.com")])
    for stream in ("broadcast", "outbound"):
        assert sandbox.mailbox.lists.has("postmark", "a@example.com", stream)


def test_ses_refuses_what_is_no_address(sandbox: Sandbox) -> None:
    bad = known("no address")
    assert ses(sandbox).place([bad, known("a@example.com")]) == {bad.id}


@pytest.mark.parametrize("name", ADAPTERS)
def test_an_outage_passes(sandbox: Sandbox, name: Provider) -> None:
    outage = {"providers": {name: {"outages": [{"from": 0, "to": 1000}]}}}
    adapter = ADAPTERS[name](sandbox)
    sandbox.behaviour.replace(Document.parse(outage))
    try:
        for call in calls(adapter):
            with pytest.raises(DependencyUnavailable):
                call()
    finally:
        sandbox.behaviour.replace(Document())


@pytest.mark.parametrize(
    "adapter",
    [
        lambda sandbox: sendgrid(sandbox, "SG.wrong"),
        lambda sandbox: postmark(sandbox, "wrong"),
        lambda sandbox: ses(sandbox, "wrong"),
    ],
)
def test_a_bad_key_is_for_an_operator(
    sandbox: Sandbox, adapter: Callable[[Sandbox], ProviderSuppressions]
) -> None:
    for call in calls(adapter(sandbox)):
        with pytest.raises(ConfigurationError) as error:
            call()
        assert "wrong" not in str(error.value)
        assert "@" not in str(error.value)


def calls(adapter: ProviderSuppressions) -> Sequence[Callable[[], object]]:
    return (
        lambda: adapter.pull(NOW - timedelta(days=1), NOW),
        lambda: adapter.place([known("a@example.com")]),
        lambda: adapter.take_away(["a@example.com"], own=True),
    )


def test_the_pace_is_kept() -> None:
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    pace = Pace(2, sleep, lambda: now[0])
    for _ in range(3):
        pace.wait()
    assert slept == [0.5, 0.5]
    now[0] += 10
    pace.wait()
    assert slept == [0.5, 0.5]
