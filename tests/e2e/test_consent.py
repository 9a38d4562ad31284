"""A person's whole way: asked, confirmed, mailed, on her pages, and erased."""

import re
from typing import Any
from urllib.parse import urlencode

import pytest

from local.client import ApiError
from local.http import request
from tests.e2e.conftest import World, until

pytestmark = pytest.mark.e2e

ADDRESS = "grace@consent.example"
FORM = {"content-type": "application/x-www-form-urlencoded"}


def mail_of(world: World, sent: int) -> dict[str, Any]:
    """Her newest mail, once so many were sent to her."""
    mails = until(
        lambda: list(world.sandbox.messages(to=ADDRESS)), lambda found: len(found) >= sent
    )
    assert len(mails) == sent
    newest: dict[str, Any] = world.sandbox.message(mails[-1]["id"])
    return newest


def link(text: str, path: str) -> str:
    found = re.search(rf"https?://[^\s\"<>]+/{path}/[^\s\"<>?]+", text)
    assert found, text
    return found.group()


def post(url: str, **form: str) -> bytes:
    answer = request("POST", url, body=urlencode(form).encode(), headers=FORM)
    assert answer.status == 200, answer.body
    return answer.body


def test_from_the_sign_up_to_the_erasure(calm: World) -> None:
    api = calm.api
    double = {"sender": calm.sender}
    made = api.post("/lists", {"name": "Letters", "public": True, "double_opt_in": double})

    assert b"<form" in request("GET", made["form_url"]).body
    post(made["form_url"], email=ADDRESS, topic="")
    confirm = link(mail_of(calm, 1)["text"], "c")
    state = calm.person(ADDRESS)["lists"][made["id"]]
    assert state == "pending"
    assert request("GET", confirm).status == 200
    assert calm.person(ADDRESS)["lists"][made["id"]] == "pending"
    post(confirm)
    person = calm.person(ADDRESS)
    assert person["lists"][made["id"]] == "subscribed"

    template = api.post(
        "/templates",
        {"name": "t", "subject": "Hi", "text": "{{ preferences_url }} {{ unsubscribe_url }}"},
    )["id"]
    campaign = api.post(
        "/campaigns",
        {"name": "c", "sender": calm.sender, "template": template, "lists": [made["id"]]},
    )["id"]
    calm.launch(campaign)
    assert calm.accounted(campaign)["accepted"] == 1
    preferences = link(mail_of(calm, 2)["text"], "p")
    page = request("GET", f"{preferences}?lang=fr").body.decode()
    assert 'lang="fr"' in page
    assert "Letters" in page
    assert ADDRESS not in page

    known = api.get(f"/subscribers/{person['id']}/data")
    assert ADDRESS in str(known)
    consents = api.get(f"/subscribers/{person['id']}/consents")["items"]
    assert {"pending", "confirmed"} <= {one["change"] for one in consents}

    job = api.post("/erasures", {"email": ADDRESS})["id"]
    until(lambda: api.get(f"/erasures/{job}"), lambda seen: seen["state"] == "done")
    for path in (f"/subscribers/{person['id']}", f"/subscribers/{person['id']}/data"):
        with pytest.raises(ApiError) as gone:
            api.get(path)
        assert gone.value.status == 404
    with pytest.raises(ApiError) as refused:
        api.post("/subscribers", {"email": ADDRESS})
    assert refused.value.status == 409
    report = calm.report(campaign)
    assert (report["recipients"], report["accepted"]) == (1, 1)
