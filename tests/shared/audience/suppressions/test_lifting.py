"""The providers are told when an address may be mailed again."""

from __future__ import annotations

from shared.audience.suppressions.ports import EVERYWHERE
from shared.errors import ConfigurationError
from shared.jobs import Job
from tests.shared.audience.suppressions.world import BOUNCE, World


def let_go(world: World, *, at_providers: bool) -> Job:
    one = world.id_of("ann@example.com")
    removed = world.list.remove(world.ws, one, confirmed=True, at_providers=at_providers)
    return world.run(world.jobs.get(world.ws, removed.job))


def known_everywhere() -> World:
    """SendGrid has Ann on its own list, SES from us."""
    world = World()
    world.add("ann@example.com")
    world.sendgrid.own.append(world.seen("ann@example.com"))
    world.run_sync()
    assert world.ses.placed == {"ann@example.com": BOUNCE}
    return world


def test_what_we_placed_is_taken_off_and_what_the_provider_has_itself_stays() -> None:
    world = known_everywhere()
    job = let_go(world, at_providers=False)
    assert job.progress == {"lifted": ["ses"], "errors": {}, "held_elsewhere": False}
    assert world.ses.placed == {}
    assert len(world.sendgrid.own) == 1
    known = world.known_of("ann@example.com")
    assert known is not None
    assert (set(known.found), set(known.placed)) == ({"sendgrid"}, set())


def test_the_operator_may_have_it_taken_off_the_providers_own_list() -> None:
    world = known_everywhere()
    job = let_go(world, at_providers=True)
    assert job.progress["lifted"] == ["sendgrid", "ses"]
    assert world.sendgrid.own == []
    assert world.known_of("ann@example.com") is None
    world.run_sync()
    assert world.entry("ann@example.com") is None
    assert world.ses.placed == {}


def test_another_workspaces_suppression_holds_it() -> None:
    world = known_everywhere()
    world.add_to(world.other, "ann@example.com")
    one = world.ids.of(world.other, "ann@example.com")
    world.consent.suppress(world.other, one, BOUNCE, source="webhook:ses")
    job = let_go(world, at_providers=True)
    assert job.progress == {"lifted": [], "errors": {}, "held_elsewhere": True}
    assert world.ses.placed == {"ann@example.com": BOUNCE}


def test_what_another_workspace_says_by_itself_does_not_hold_it() -> None:
    world = known_everywhere()
    one = world.ids.of(world.other, "ann@example.com")
    world.consent.suppress(world.other, one, BOUNCE, source="import:job_1")
    assert let_go(world, at_providers=False).progress["lifted"] == ["ses"]


def test_a_provider_that_refuses_is_named_and_stays_known() -> None:
    world = known_everywhere()
    world.sendgrid.failures = [ConfigurationError("sendgrid: check the key")]
    job = let_go(world, at_providers=True)
    assert job.progress["lifted"] == ["ses"]
    assert job.progress["errors"] == {"sendgrid": "sendgrid: check the key"}
    known = world.known_of("ann@example.com")
    assert known is not None
    assert known.found == {"sendgrid"}


def test_doing_it_again_is_harmless() -> None:
    world = known_everywhere()
    one = world.id_of("ann@example.com")
    removed = world.list.remove(world.ws, one, confirmed=True, at_providers=True)
    job = world.jobs.get(world.ws, removed.job)
    world.lift_step.run(job)
    assert world.lift_step.run(job).progress["lifted"] == []
    assert world.ids.of(EVERYWHERE, "ann@example.com") not in world.known.known
