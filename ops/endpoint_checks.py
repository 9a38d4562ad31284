"""What a deployment answers to callers who have nothing: no key, no signature, no token."""

from __future__ import annotations

import base64
from collections.abc import Iterator

from ops.deployed import Urls
from ops.findings import Finding, fail, ok
from ops.http import Answer, Web
from ops.stage_facts import StageFacts
from shared.config import PostmarkProvider, Provider, SendGridProvider, SesProvider

_LOGS = "look at the function's log: aws logs tail /aws/lambda/{function} --since 10m"
_UNSIGNED = "smoke"


def health(web: Web, urls: Urls, facts: StageFacts) -> Iterator[Finding]:
    """The API answers, and it is this stage's."""
    answer = web.request("GET", f"{urls.api}/v1/health")
    stage = answer.json().get("stage")
    if answer.status != 200 or stage != facts.name:
        yield _unlike(answer, f"200 of stage {facts.name}", facts.function("api"))
    else:
        yield ok(f"200, version {answer.json().get('version')}, stage {stage}")


def docs(web: Web, urls: Urls, facts: StageFacts) -> Iterator[Finding]:
    """The API's documentation is served."""
    answer = web.request("GET", f"{urls.api}/docs")
    if answer.status != 200 or b"swagger" not in answer.body.lower():
        yield _unlike(answer, "200 and a page", facts.function("api"))
    else:
        yield ok(f"200, {urls.api}/docs")


def locked(web: Web, urls: Urls, facts: StageFacts) -> Iterator[Finding]:
    """Without a key nothing can be read."""
    answer = web.request("GET", f"{urls.api}/v1/lists")
    if answer.status != 401:
        yield _unlike(answer, "401 without a key", facts.function("api"))
    else:
        yield ok("401 without a key")


def webhook(web: Web, urls: Urls, facts: StageFacts, provider: Provider) -> Iterator[Finding]:
    """A report that the ESP did not sign is refused."""
    headers, body = _forged(provider)
    url = f"{urls.webhooks}/webhooks/{provider.name}"
    answer = web.request("POST", url, body=body, headers=headers)
    if answer.status != 401:
        yield _unlike(answer, "401 for a forged report", facts.function("webhooks"))
    else:
        yield ok("401 for a forged report")


def unsubscribe(web: Web, urls: Urls, facts: StageFacts) -> Iterator[Finding]:
    """A forged unsubscribe link gets our own page and not the gateway's."""
    answer = web.request("GET", f"{urls.public}/u/forged")
    ours = answer.headers.get("content-type", "").startswith("text/html")
    if answer.status != 404 or not ours:
        yield _unlike(answer, "404 and a page for a forged link", facts.function("public"))
    else:
        yield ok(f"404 and a page for a forged link, {urls.public}")


def _forged(provider: Provider) -> tuple[dict[str, str], object]:
    match provider:
        case SendGridProvider():
            headers = {
                "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(b"forged").decode(),
                "X-Twilio-Email-Event-Webhook-Timestamp": "0",
            }
            return headers, []
        case PostmarkProvider():
            credential = base64.b64encode(f"{_UNSIGNED}:forged".encode()).decode()
            return {"Authorization": f"Basic {credential}"}, {"RecordType": "Delivery"}
        case SesProvider(topic_arns=topics):
            # A topic of ours and all that is signed: so it is the signature that is refused.
            envelope = {
                "Type": "Notification",
                "MessageId": _UNSIGNED,
                "TopicArn": topics[0] if topics else "",
                "Message": "forged",
                "Timestamp": "2026-01-01T00:00:00.000Z",
                "SignatureVersion": "2",
                "Signature": base64.b64encode(b"forged").decode(),
                "SigningCertURL": "https://sns.example.com/forged.pem",
            }
            return {}, envelope


def _unlike(answer: Answer, wanted: str, function: str) -> Finding:
    return fail(f"{answer.status} instead of {wanted}", _LOGS.format(function=function))
