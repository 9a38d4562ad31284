"""Everything before the launch, through the API alone, as any user would do it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from local.client import Client
from local.demo import mail
from local.demo.people import Audience
from local.failure import Busy, LocalCloudError
from local.sandbox_client import SandboxClient

_PATIENCE_S = 180.0
_POLL_S = 0.5
_TAG = "demo"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a campaign needs, by id."""

    sender: str
    list_id: str
    template_id: str


def verify_domain(api: Client, sandbox: SandboxClient, domain: str) -> None:
    """Adds a sender domain, sets the TXT record it asks for, and has it verified."""
    added = api.post("/sender-domains", {"domain": domain})
    sandbox.put_txt(added["record"]["name"], [added["record"]["value"]])
    state = api.post(f"/sender-domains/{added['id']}/verify")["state"]
    if state != "verified":
        raise LocalCloudError(f"the sender domain {domain} is {state} and not verified")


def make_content(api: Client, domain: str) -> Prepared:
    """A list and a template."""
    made = api.post("/lists", {"name": "Newsletter", "description": "The demo's readers"})
    template = api.post(
        "/templates",
        {"name": "December", "subject": mail.SUBJECT, "html": mail.HTML, "text": mail.TEXT},
    )
    return Prepared(f"news@{domain}", made["id"], template["id"])


def import_people(api: Client, list_id: str, audience: Audience) -> dict[str, Any]:
    """Imports the CSV to the list and waits until all of it is done.

    Returns the import's counts of rows.

    Raises:
        LocalCloudError: it failed, or stood still for three minutes.
    """
    started = api.upload("/subscribers/imports", audience.content, "text/csv", lists=list_id)
    seen, moved = started, time.monotonic()
    while seen["state"] not in {"done", "failed"}:
        if time.monotonic() - moved > _PATIENCE_S:
            raise LocalCloudError(f"the import stands still: {seen['rows']}")
        time.sleep(_POLL_S)
        try:
            now = api.get(f"/subscribers/imports/{started['id']}")
        except Busy:
            continue
        if now != seen:
            seen, moved = now, time.monotonic()
    if seen["state"] == "failed":
        raise LocalCloudError(f"the import failed: {seen['error']}")
    rows: dict[str, Any] = seen["progress"]
    return rows


def make_campaign(api: Client, prepared: Prepared, name: str) -> str:
    """A draft; its id."""
    made = api.post(
        "/campaigns",
        {
            "name": name,
            "sender": {"email": prepared.sender, "name": "Tidepost Demo"},
            "template": prepared.template_id,
            "lists": [prepared.list_id],
            "tags": [_TAG],
        },
    )
    campaign: str = made["id"]
    return campaign
