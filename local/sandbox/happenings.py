"""What will happen to an accepted message: drawn once, when it is accepted."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from local.sandbox.addresses import domain_of
from local.sandbox.behaviour import Behaviour, Profile
from local.sandbox.mailbox import Kind, Message

_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0"
_PEOPLE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Safari/537.36 Edg/142.0.0.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Thunderbird/145.0",
    f"Mozilla/5.0 (Linux; Android 16; Pixel 10) {_WEBKIT} Mobile Safari/537.36",
)
_MACHINES = (
    "Mozilla/5.0",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
)
_LINK = re.compile(r"<a\s[^>]*?href\s*=\s*[\"'](https?://[^\"'<>\s]+)[\"']", re.IGNORECASE)

# Amazon's mailbox simulator; labels after a plus sign are allowed.
_SIMULATOR = "simulator.amazonses.com"
_SIMULATED: dict[str, tuple[Kind, ...]] = {
    "success": (Kind.DELIVERED,),
    "bounce": (Kind.HARD_BOUNCED,),
    "ooto": (Kind.DELIVERED,),
    "complaint": (Kind.DELIVERED, Kind.COMPLAINED),
    "suppressionlist": (Kind.HARD_BOUNCED,),
}


@dataclass(frozen=True, slots=True)
class Happening:
    """One event to come, `after_ms` after acceptance.

    `link` is a place in the mail's links. `suppressed` marks a bounce or drop
    that comes from the ESP's own suppression list.
    """

    kind: Kind
    after_ms: float = 0.0
    url: str = ""
    link: int = 0
    user_agent: str = ""
    suppressed: bool = False


def draw(message: Message, behaviour: Behaviour, *, suppressed: bool) -> list[Happening]:
    """All that will happen to a message, in the order of time."""
    profile = behaviour.profile(message.provider, message.to)
    roll = partial(_roll, behaviour, message.key)
    course = _Course(profile, roll)
    if message.failure:
        return course.then(Kind.FAILED).events
    local, domain = message.to.partition("+")[0].partition("@")[0], domain_of(message.to)
    if message.provider == "ses" and domain == _SIMULATOR and local in _SIMULATED:
        course.at_once(Kind.SENT)
        for kind in _SIMULATED[local]:
            course.then(kind, suppressed=local == "suppressionlist")
        return course.events
    if message.provider == "sendgrid" and (suppressed or roll("reject") < profile.reject_rate):
        return course.then(Kind.DROPPED, suppressed=suppressed).events
    course.at_once(Kind.SENT)
    if suppressed or _dead(behaviour, message) < profile.hard_bounce_rate:
        return course.then(Kind.HARD_BOUNCED, suppressed=suppressed).events
    if roll("soft_bounce") < profile.soft_bounce_rate:
        return course.then(Kind.SOFT_BOUNCED).events
    if roll("defer") < profile.defer_rate:
        course.then(Kind.DEFERRED)
    course.then(Kind.DELIVERED)
    _engage(message, profile, course, roll)
    return course.events


def made_by_hand(message: Message, kind: Kind, url: str = "", agent: str = "") -> Happening:
    """One event asked for by a test. A click without a URL takes the mail's first link."""
    machine = kind is Kind.MACHINE_OPENED
    return Happening(
        kind,
        url=url or (next(iter(links(message)), "") if kind is Kind.CLICKED else ""),
        user_agent=agent or (_MACHINES if machine else _PEOPLE)[0],
    )


def links(message: Message) -> list[str]:
    """The http(s) links of the HTML part, in order."""
    body = message.html.text if message.html else ""
    return [html.unescape(found) for found in _LINK.findall(body)]


def _engage(
    message: Message, profile: Profile, course: _Course, roll: Callable[[str], float]
) -> None:
    agent = _pick(_PEOPLE, roll("agent"))
    if message.tracks_opens and roll("machine_open") < profile.machine_open_rate:
        course.then(Kind.MACHINE_OPENED, user_agent=_pick(_MACHINES, roll("machine_agent")))
    clicks = message.tracks_clicks and roll("click") < profile.click_rate
    found = links(message) if clicks else []
    if message.tracks_opens and (found or roll("open") < profile.open_rate):
        course.then(Kind.OPENED, user_agent=agent)
    if found:
        wanted = [link for link in found if "unsubscribe" not in link] or found
        url = _pick(wanted, roll("link"))
        course.then(Kind.CLICKED, url=url, link=found.index(url), user_agent=agent)
    if roll("unsubscribe") < profile.unsubscribe_rate:
        course.then(Kind.UNSUBSCRIBED)
    if roll("complaint") < profile.complaint_rate:
        course.then(Kind.COMPLAINED)


class _Course:
    """Collects happenings; each comes a delay after the one before."""

    def __init__(self, profile: Profile, roll: Callable[[str], float]) -> None:
        self._profile = profile
        self._roll = roll
        self._after = 0.0
        self.events: list[Happening] = []

    def at_once(self, kind: Kind) -> None:
        self.events.append(Happening(kind))

    def then(
        self,
        kind: Kind,
        *,
        url: str = "",
        link: int = 0,
        user_agent: str = "",
        suppressed: bool = False,
    ) -> _Course:
        spread = self._roll(f"delay {kind.value}") * self._profile.event_spread_ms
        self._after += self._profile.event_delay_ms + spread
        self.events.append(Happening(kind, self._after, url, link, user_agent, suppressed))
        return self


def _roll(behaviour: Behaviour, key: str, purpose: str) -> float:
    return behaviour.chance(purpose, key)


def _dead(behaviour: Behaviour, message: Message) -> float:
    return behaviour.chance("hard_bounce", message.to.lower())


def _pick(choices: Sequence[str], luck: float) -> str:
    return choices[int(luck * len(choices))]
