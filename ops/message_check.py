"""One real message, through the API to an ESP, and the event that comes back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus

from ops.findings import Finding, fail, ok
from ops.http import Answer, Web
from shared.clock import Clock, to_iso

_POLL_S = 2.0
_LOST = frozenset({"rejected", "failed", "skipped"})
_SCOPES = "messages:send, events:read and campaigns:read"


@dataclass(frozen=True, slots=True)
class Letter:
    """What to send. `sender` may be empty: then from a verified domain. `patience_s` in seconds."""

    to: str
    sender: str
    api_key: str
    patience_s: float


class Messenger:
    """Sends and waits. `sleep` takes seconds."""

    def __init__(self, web: Web, api: str, clock: Clock, sleep: Callable[[float], None]) -> None:
        self._web = web
        self._api = api
        self._clock = clock
        self._sleep = sleep

    def deliver(self, letter: Letter) -> Iterator[Finding]:
        """Sends the letter and follows it until an event tells of it. Shows no address."""
        if not letter.api_key:
            yield fail(
                "TIDEPOST_API_KEY is not set",
                f"export TIDEPOST_API_KEY=<a key with {_SCOPES}>",
            )
            return
        headers = {"Authorization": f"Bearer {letter.api_key}"}
        sender = letter.sender or self._some_sender(headers)
        if not sender:
            yield fail(
                "this workspace has no verified sender domain, or the key may not list them",
                "verify one (docs/deploy.md, step 11), or say --send-from",
            )
            return
        started = to_iso(self._clock.now())
        body = {
            "to": {"email": letter.to},
            "sender": {"email": sender, "name": "Tidepost smoke test"},
            "subject": "Tidepost smoke test",
            "text": f"Sent by ops.smoke at {started}. It arrived: nothing to do.",
        }
        answer = self._web.request("POST", f"{self._api}/v1/messages", body=body, headers=headers)
        if answer.status != HTTPStatus.ACCEPTED:
            yield fail(f"POST /v1/messages: {_problem(answer)}", "mend that, then run this again")
            return
        yield ok(f"taken in as {answer.json()['id']}")
        yield self._follow(answer.json()["id"], headers, letter.patience_s)

    def _follow(self, message: str, headers: dict[str, str], patience_s: float) -> Finding:
        began = self._clock.now()
        state, reason, providers, events = "pending", "", "no provider", ""
        while (self._clock.now() - began).total_seconds() < patience_s:
            answer = self._web.request("GET", f"{self._api}/v1/messages/{message}", headers=headers)
            if answer.status != HTTPStatus.OK:
                return fail(
                    f"GET /v1/messages/...: {_problem(answer)}", f"use a key with {_SCOPES}"
                )
            story = answer.json()
            state, reason = story["state"], story["reason"]
            providers = ", ".join(a["provider"] for a in story["attempts"]) or providers
            events = ", ".join(event["type"] for event in story["events"])
            if state in _LOST:
                return fail(
                    f"{state} ({reason or 'no reason'}) at {providers}",
                    "see that ESP's own activity page, and the dispatcher's log",
                )
            if state == "accepted" and events:
                return ok(f"accepted by {providers}, events: {events}")
            self._sleep(_POLL_S)
        if state == "accepted":
            return fail(
                f"accepted by {providers}, but no event came within {patience_s:g} s",
                "see whether that ESP's webhook names this deployment, and the webhooks' log",
            )
        return fail(f"{state} after {patience_s:g} s, at {providers}", "see the dispatcher's log")

    def _some_sender(self, headers: dict[str, str]) -> str:
        answer = self._web.request(
            "GET", f"{self._api}/v1/sender-domains?limit=50", headers=headers
        )
        for domain in answer.json().get("items", ()):
            if domain["state"] == "verified":
                return f"smoke@{domain['domain']}"
        return ""


def _problem(answer: Answer) -> str:
    """The problem document in words: fields and reasons, which hold no address."""
    problem = answer.json()
    fields = "; ".join(f"{one['field']}: {one['reason']}" for one in problem.get("errors", ()))
    code = str(problem.get("type", "")).rpartition(":")[2]
    return f"{answer.status} {code} {fields or problem.get('detail', '')}".strip()
