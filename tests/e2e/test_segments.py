"""A campaign to a list and a segment, without those who clicked in another."""

import pytest

from tests.e2e.conftest import World, until

pytestmark = pytest.mark.e2e

HOST = "segments.example"


def test_a_campaign_to_a_list_and_a_segment_without_who_clicked(calm: World) -> None:
    api = calm.api
    first = calm.list_of([f"a{n}@{HOST}" for n in range(4)])
    second = api.post("/lists", {"name": "second"})["id"]
    for n in range(6):
        plan = "pro" if n % 2 else "free"
        api.post(
            "/subscribers",
            {"email": f"b{n}@{HOST}", "lists": [second], "attributes": {"plan": plan}},
        )

    before = calm.campaign([first])
    calm.launch(before)
    calm.accounted(before)
    for n in (1, 2):
        [mail] = calm.sandbox.messages(to=f"a{n}@{HOST}")
        event = {"message_id": mail["id"], "type": "clicked", "url": "https://example.com/a"}
        calm.sandbox.report(event)
    clicked = {"engagement": "clicked", "campaign": before, "within_days": 1}
    counted = until(
        lambda: api.post("/segments/preview", {"rule": clicked}), lambda seen: seen["count"] == 2
    )
    assert counted["exact"]
    sent = {"engagement": "sent", "campaign": before}
    until(lambda: api.post("/segments/preview", {"rule": sent}), lambda seen: seen["count"] == 4)

    pros = {"all": [{"list": second}, {"attribute": "plan", "op": "eq", "value": "pro"}]}
    segment = api.post("/segments", {"name": "Pros", "rule": pros})["id"]
    busy = api.post("/segments", {"name": "Clicked", "rule": clicked})["id"]
    snapshot = api.post(f"/segments/{segment}/snapshot")["id"]
    taken = until(lambda: api.get(f"/snapshots/{snapshot}"), lambda seen: seen["state"] == "done")
    assert taken["members"] == 3

    template = api.get(f"/campaigns/{before}")["template"]
    campaign = api.post(
        "/campaigns",
        {
            "name": "to a segment",
            "sender": calm.sender,
            "template": template,
            "audience": {
                "include": [{"list": first}, {"segment": segment}],
                "exclude": [{"segment": busy}],
            },
        },
    )["id"]
    calm.launch(campaign)
    report = calm.accounted(campaign)
    assert (report["recipients"], report["accepted"]) == (5, 5)
    times = {
        address: len(list(calm.sandbox.messages(to=address)))
        for address in [f"{letter}{n}@{HOST}" for letter in "ab" for n in range(6)]
    }
    assert {address for address, mails in times.items() if mails == 2} == {
        f"a{n}@{HOST}" for n in (0, 3)
    }
    assert {address for address, mails in times.items() if mails == 1} == {
        *(f"a{n}@{HOST}" for n in (1, 2)),
        *(f"b{n}@{HOST}" for n in (1, 3, 5)),
    }
