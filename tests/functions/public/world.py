"""The public pages over fakes, called with the events that API Gateway sends."""

from __future__ import annotations

import html.parser
import io
import itertools
import json
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from aws_lambda_powertools import Logger, Metrics

from functions.public.handler import respond
from functions.public.looks import Looks
from functions.public.wiring import Public
from shared.audience.asking import SourceLimit
from shared.audience.consent import ConsentService
from shared.audience.model import DoubleOptIn, ListState, MailingList, Subscriber
from shared.audience.opt_in import OptInService
from shared.audience.preferences import PreferenceService
from shared.audience.service import SubscriberService
from shared.audience.suppressions.everywhere import EverywhereList
from shared.audience.texts import read_languages
from shared.ids import Ids, LinkKeys, SubscriberIds, UnsubscribeRef, UnsubscribeTokens
from shared.mail import Mailbox
from shared.retention import Retention
from tests.fakes import (
    FakeAsked,
    FakeAttempts,
    FakeAudienceSettings,
    FakeClock,
    FakeConsents,
    FakeJobQueue,
    FakeJobs,
    FakeKnownAddresses,
    FakeLists,
    FakeMemberships,
    FakeMx,
    FakePageSettings,
    FakeSubscribers,
    FakeSuppressions,
    FakeWaiting,
    seeded_bytes,
)

ADDRESS = "ann@example.com"
SENDER = Mailbox("news@example.com", "Example")
KEYS = {"k1": b"old", "k2": b"new"}

_worlds = itertools.count()
"""Loggers of one name share one stream, so each world has its own name."""


@dataclass(frozen=True)
class Asking:
    """One mail that asks somebody to confirm."""

    list_id: str
    address: str
    language: str
    url: str
    once: str


class FakeMailer:
    """`ConfirmationMailer`: what is sent under a `once` of before is not in `sent` again."""

    def __init__(self) -> None:
        self.sent: dict[str, Asking] = {}
        self.fails: Exception | None = None

    def check(self, workspace: str, opt_in: DoubleOptIn) -> None:
        raise AssertionError(workspace, opt_in)  # no page checks a list's settings

    def send(
        self, mailing_list: MailingList, address: str, *, language: str, url: str, once: str
    ) -> None:
        if self.fails:
            raise self.fails
        self.sent[once] = Asking(mailing_list.id, address, language, url, once)

    @property
    def last(self) -> Asking:
        return list(self.sent.values())[-1]


class World:
    """A workspace with the lists `news` (double opt-in, public) and `deals`; Ann is on `news`."""

    def __init__(self) -> None:
        self.log = io.StringIO()
        self.clock = FakeClock()
        ids = Ids(self.clock, seeded_bytes())
        self.ws, self.campaign = ids.new("ws"), ids.new("cmp")
        self.subscribers, self.memberships = FakeSubscribers(), FakeMemberships()
        self.suppressions, self.lists = FakeSuppressions(), FakeLists()
        self.settings, self.pages = FakeAudienceSettings(), FakePageSettings()
        self.consents = FakeConsents()
        self.asked, self.attempts, self.mailer = FakeAsked(), FakeAttempts(), FakeMailer()
        self.waiting, self.kept = FakeWaiting(), Retention()
        self.ids = SubscriberIds(b"key")
        self.ann = self.ids.of(self.ws, ADDRESS)
        self.tokens = UnsubscribeTokens(KEYS, "k2")
        self.news, self.deals = ids.new("lst"), ids.new("lst")
        now = self.clock.now()
        opt_in = DoubleOptIn(SENDER)
        self.lists.create(
            MailingList(self.news, self.ws, "News & more", now, "Weekly", 0, public=True,
                        double_opt_in=opt_in)
        )  # fmt: skip
        self.lists.create(MailingList(self.deals, self.ws, "Deals", now, public=True))
        self.memberships.add(self.ws, self.news, [self.ann])
        lists = {self.news: ListState.SUBSCRIBED}
        self.subscribers.put(Subscriber(self.ann, self.ws, ADDRESS, now, now, lists))
        self.services = self._services(ids)

    def token(self, *, everything: bool = False) -> str:
        list_id = None if everything else self.news
        return self.tokens.make(UnsubscribeRef(self.ws, self.ann, self.campaign, list_id))

    @property
    def form(self) -> str:
        """The path of the sign-up form of `news`."""
        url = self.services.opt_in.form_url(self.lists.get(self.ws, self.news))
        return url.removeprefix("https://mail.example.com")

    def open(self, path: str, **more: Any) -> dict[str, Any]:
        return self.send("GET", path, **more)

    def post(self, path: str, fields: Any = None, **more: Any) -> dict[str, Any]:
        return self.send("POST", path, urlencode(fields or {}, doseq=True), **more)

    def send(
        self,
        method: str,
        path: str,
        body: str | None = None,
        *,
        in_base64: bool = False,
        headers: dict[str, str] | None = None,
        lang: str = "",
        ip: str = "192.0.2.1",
    ) -> dict[str, Any]:
        http = {"method": method, "path": path, "sourceIp": ip, "userAgent": "Firefox"}
        event: dict[str, Any] = {
            "version": "2.0",
            "rawPath": path,
            "headers": headers or {},
            "requestContext": {"http": http},
            "isBase64Encoded": in_base64,
        }
        if lang:
            event["queryStringParameters"] = {"lang": lang}
        if body is not None:
            event["body"] = body
        return respond(self.services, event)

    @property
    def stored(self) -> Subscriber:
        return self.subscribers.people[self.ws, self.ann]

    def change(self, **fields: Any) -> None:
        """Changes what is stored of Ann."""
        self.subscribers.put(replace(self.stored, **fields))

    @property
    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def over(self, asked: FakeAsked) -> Public:
        """The services over another record of what people were asked."""
        self.asked = asked
        return self._services(Ids(self.clock, seeded_bytes(2)))

    def _services(self, ids: Ids) -> Public:
        languages = read_languages()
        keys = LinkKeys(KEYS, "k2")
        consent = ConsentService(
            self.subscribers, self.memberships, self.suppressions, self.clock, self.consents
        )
        preferences = PreferenceService(
            subscribers=self.subscribers,
            lists=self.lists,
            consent=consent,
            languages=languages,
            clock=self.clock,
        )
        people = SubscriberService(
            subscribers=self.subscribers,
            memberships=self.memberships,
            suppressions=self.suppressions,
            lists=self.lists,
            settings=self.settings,
            mx=FakeMx(),
            everywhere=EverywhereList(FakeKnownAddresses(), self.suppressions, self.ids),
            ids=self.ids,
            clock=self.clock,
            jobs=FakeJobs(),
            job_queue=FakeJobQueue(),
            resource_ids=ids,
            log=self.consents,
        )
        opt_in = OptInService(
            people=people,
            consent=consent,
            lists=self.lists,
            asked=self.asked,
            waiting=self.waiting,
            kept=lambda _: self.kept,
            pages=self.pages,
            mailer=self.mailer,
            keys=keys,
            languages=languages,
            public_url="https://mail.example.com/",
            clock=self.clock,
        )
        return Public(
            consent=consent,
            tokens=self.tokens,
            preferences=preferences,
            opt_in=opt_in,
            sources=SourceLimit(self.attempts, keys, self.clock),
            look=Looks(self.pages, preferences, languages),
            logger=Logger(service=f"public-{next(_worlds)}", stream=self.log),
            metrics=Metrics(namespace="Tidepost", service="public"),
        )


class Page(html.parser.HTMLParser):
    """What a browser would find: forms with their fields, texts, and what it refers to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[dict[str, list[str]]] = []
        self.checked: list[str] = []
        self.selected: list[str] = []
        self.tags: list[str] = []
        self.language = ""
        self.links: list[str] = []
        self.images: list[dict[str, str]] = []
        self.controls: list[dict[str, str]] = []
        """Visible fields, each with its attributes."""
        self.labels: set[str] = set()
        self.ids: list[str] = []
        self.described: list[str] = []
        self.roles: dict[str, str] = {}
        self.handlers: list[str] = []
        self.text = ""
        self._role = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.handlers += [name for name in values if name.startswith("on")]
        if "id" in values:
            self.ids.append(values["id"])
        self.described += values.get("aria-describedby", "").split()
        self._role = values.get("role", "")
        if tag == "html":
            self.language = values["lang"]
        elif tag == "a":
            self.links.append(values["href"])
        elif tag == "img":
            self.images.append(values)
        else:
            self._form_tag(tag, values)

    def _form_tag(self, tag: str, values: dict[str, str]) -> None:
        if tag == "label":
            self.labels.add(values["for"])
        if tag == "form":
            assert values == {"method": "post"}
            self.forms.append({})
        if tag in {"input", "button"} and "name" in values:
            self.forms[-1].setdefault(values["name"], []).append(values.get("value", ""))
        if tag in {"input", "select"} and values.get("type") != "hidden":
            self.controls.append(values)
        for flag, named in (("selected", self.selected), ("checked", self.checked)):
            if flag in values:
                named.append(values["value"])

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._role:
            self.roles[self._role] = self.roles.get(self._role, "") + data

    def handle_endtag(self, tag: str) -> None:
        if tag == "p":
            self._role = ""
