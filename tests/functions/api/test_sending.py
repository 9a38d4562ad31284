"""Settings, the kill switch, and a campaign's times over the API."""

from __future__ import annotations

from typing import Any

import pytest

from shared.access.model import Scope
from tests.functions.api.test_campaigns import body, draft
from tests.functions.api.world import World

__all__ = ["body", "draft"]  # fixtures


CAP = {"kind": "campaign", "messages": 3, "days": 7}


def test_settings_are_read_replaced_and_reset(world: World) -> None:
    defaults = world.call("GET", "/v1/settings").json
    assert defaults["confirm_above"] == 50_000
    assert (defaults["max_hard_bounce_rate"], defaults["max_complaint_rate"]) == (0.04, 0.0008)
    wanted = {
        "time_zone": "Europe/Berlin",
        "quiet_hours": {"start": "21:00", "end": "08:00"},
        "confirm_above": 10,
        "frequency_cap": [{"kind": "campaign", "messages": 3, "days": 7}],
    }
    saved = world.call("PUT", "/v1/settings", wanted).json
    assert saved == defaults | wanted | {"version": 1}
    assert world.call("GET", "/v1/settings").json == saved
    assert world.call("PUT", "/v1/settings", {}).json == defaults | {"version": 2}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"time_zone": ""}, "time_zone"),
        ({"quiet_hours": {"start": "08:00", "end": "08:00"}}, "quiet_hours"),
        ({"quiet_hours": {"start": "25:00", "end": "08:00"}}, "quiet_hours.start"),
        ({"confirm_above": -1}, "confirm_above"),
        ({"max_complaint_rate": 0}, "max_complaint_rate"),
        ({"brake_after": 0}, "brake_after"),
        ({"frequency_cap": [CAP | {"messages": 0}]}, "frequency_cap.0.messages"),
        ({"frequency_cap": [CAP | {"messages": 32}]}, "frequency_cap.0.messages"),
        ({"frequency_cap": [CAP | {"days": 32}]}, "frequency_cap.0.days"),
        ({"frequency_cap": [CAP | {"kind": "sms"}]}, "frequency_cap.0.kind"),
        ({"frequency_cap": [{"kind": "campaign", "days": 1}]}, "frequency_cap.0.messages"),
        ({"frequency_cap": [CAP, CAP | {"days": 1}]}, "frequency_cap"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_bad_settings_name_the_field(world: World, change: dict[str, Any], field: str) -> None:
    answer = world.call("PUT", "/v1/settings", change)
    assert (answer.status, answer.fields) == (422, [field])


def test_sending_is_turned_off_and_on(world: World) -> None:
    on = world.call("GET", "/v1/sending").json
    assert (on["enabled"], on["deployment_enabled"]) == (True, True)
    off = world.call("PUT", "/v1/sending", {"enabled": False, "reason": "wrong prices"})
    assert (off.status, off.json["enabled"], off.json["reason"]) == (200, False, "wrong prices")
    assert off.json["by"].startswith("api:key_")
    assert world.call("GET", "/v1/sending", key=world.other_key).json["enabled"]
    assert world.call("PUT", "/v1/sending", {"enabled": True}).json["enabled"]


def test_turning_off_needs_a_reason_and_an_admin(world: World) -> None:
    answer = world.call("PUT", "/v1/sending", {"enabled": False})
    assert (answer.status, answer.fields) == (422, ["reason"])
    key = world.issue(world.workspace, Scope.CAMPAIGNS_WRITE)
    refused = world.call("PUT", "/v1/sending", {"enabled": False, "reason": "x"}, key=key)
    assert refused.status == 403


TIMES = {
    "start_at": "2026-12-01T10:00:00+01:00",
    "end_at": "2026-12-03T00:00:00Z",
    "quiet_hours": {"start": "21:00", "end": "08:00"},
    "time_zone": "Europe/Berlin",
}


def test_a_campaigns_times_are_set_changed_and_taken_away(
    world: World, body: dict[str, Any]
) -> None:
    made = world.call("POST", "/v1/campaigns", body | TIMES | {"pace_per_hour": 600}).json
    assert made["schedule"] == {
        "start_at": "2026-12-01T09:00:00.000Z",
        "end_at": "2026-12-03T00:00:00.000Z",
        "local_time": None,
        "quiet_hours": {"start": "21:00", "end": "08:00"},
        "time_zone": "Europe/Berlin",
    }
    assert made["pace_per_hour"] == 600
    path = f"/v1/campaigns/{made['id']}"
    renamed = world.call("PATCH", path, {"name": "New"}).json
    assert (renamed["schedule"], renamed["pace_per_hour"]) == (made["schedule"], 600)
    bare = world.call("PATCH", path, {"quiet_hours": None, "pace_per_hour": None}).json
    assert (bare["schedule"]["quiet_hours"], bare["pace_per_hour"]) == (None, None)
    launched = world.call("POST", path + "/launch").json
    assert (launched["state"], launched["launched_at"]) == ("scheduled", None)
    assert world.call("POST", path + "/unschedule").json["state"] == "draft"
    assert world.call("POST", path + "/unschedule").problem == "wrong-state"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"start_at": "2026-11-24T07:00:00Z"}, "start_at"),
        ({"start_at": "2026-12-01T10:00:00"}, "start_at"),
        ({"end_at": "2026-12-01T08:59:59Z"}, "end_at"),
        ({"local_time": "2026-12-01T09:00:00Z"}, "local_time"),
        ({"time_zone": "Mars/Olympus"}, "time_zone"),
        ({"quiet_hours": {"start": "08:00", "end": "08:00"}}, "quiet_hours"),
        ({"pace_per_hour": 0}, "pace_per_hour"),
        ({"seed_wait_minutes": 0}, "seed_wait_minutes"),
    ],
)
def test_times_that_cannot_be_kept_name_the_field(
    world: World, body: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    answer = world.call("POST", "/v1/campaigns", body | TIMES | change)
    assert (answer.status, answer.fields) == (422, [field])


def test_a_large_launch_is_confirmed_with_its_number(world: World, draft: Any) -> None:
    world.call("PUT", "/v1/settings", {"confirm_above": 0})
    path = f"/v1/campaigns/{draft['id']}/launch"
    asked = world.call("POST", path)
    assert (asked.status, asked.problem, asked.json["recipients"]) == (
        409,
        "confirmation-required",
        1,
    )
    assert world.call("POST", path, {"confirm_recipients": 7}).problem == "confirmation-required"
    assert world.call("POST", path, {"confirm_recipients": 1}).status == 202
