"""The public function over the tables of a deployment."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext

from functions.public.handler import handler
from functions.public.wiring import _public, public
from shared.access.model import SenderDomain
from shared.audience.model import DoubleOptIn, ListState, MailingList, Subscriber
from shared.ids import Ids, SubscriberIds, UnsubscribeRef
from shared.mail import Mailbox
from shared.storage.ledger import DynamoLedger
from shared.storage.lists import DynamoLists
from shared.storage.memberships import DynamoMemberships
from shared.storage.queues import chunk_key_of
from shared.storage.sender_domains import DynamoSenderDomains
from shared.storage.subscribers import DynamoSubscribers
from tests.fakes import FakeClock, seeded_bytes
from tests.functions.running import SECRET, Deployment, deployed

clock = FakeClock()
ids = Ids(clock, seeded_bytes())
WS, NEWS = ids.new("ws"), ids.new("lst")


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    _public.cache_clear()
    with deployed(monkeypatch, providers=[{"name": "ses", "kind": "ses", "weight": 1}]) as running:
        yield running
    _public.cache_clear()


def post(path: str, **fields: str) -> int:
    event = {
        "rawPath": path,
        "requestContext": {"http": {"method": "POST", "sourceIp": "192.0.2.1"}},
        "body": urlencode(fields),
    }
    return int(handler(event, LambdaContext())["statusCode"])


@pytest.mark.usefixtures("deployment")
def test_one_click_reaches_the_tables() -> None:
    ann = SubscriberIds(b"key").of(WS, "ann@example.com")
    people, members = DynamoSubscribers(), DynamoMemberships()
    members.add(WS, NEWS, [ann])
    now = clock.now()
    people.put(Subscriber(ann, WS, "ann@example.com", now, now, {NEWS: ListState.SUBSCRIBED}))
    token = public().tokens.make(UnsubscribeRef(WS, ann, ids.new("cmp"), NEWS))

    assert post(f"/u/{token}", **{"List-Unsubscribe": "One-Click"}) == 200

    assert people.get(WS, ann).lists == {NEWS: ListState.UNSUBSCRIBED}
    assert members.page(WS, NEWS, limit=1).items == ()


def test_a_sign_up_is_asked_by_mail_and_confirmed(
    deployment: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    domain = SenderDomain(ids.new("dom"), WS, "example.com", "token", clock.now())
    DynamoSenderDomains().create(domain)
    DynamoSenderDomains().verify(domain, clock.now())
    news = MailingList(
        NEWS, WS, "News", clock.now(), double_opt_in=DoubleOptIn(Mailbox("news@example.com"))
    )
    DynamoLists().create(news)
    form = public().opt_in.form_url(news).removeprefix("https://mail.example.com")

    for _ in range(2):
        assert post(form, email="bob@example.com") == 200

    bob = SubscriberIds(SECRET.encode()).of(WS, "bob@example.com")
    assert DynamoSubscribers().get(WS, bob).lists == {NEWS: ListState.PENDING}
    (key,) = {chunk_key_of(body) for body in deployment.receive("transactional")}
    message = DynamoLedger().record(key).plan.message or {}
    url = message["data"]["confirm_url"]
    assert post(url.removeprefix("https://mail.example.com")) == 200
    assert DynamoSubscribers().get(WS, bob).lists == {NEWS: ListState.SUBSCRIBED}
    assert "bob@" not in capsys.readouterr().out
