"""Our lists and the providers' own are brought to agree."""

from __future__ import annotations

import pytest

from shared.audience.model import ListState
from shared.audience.suppressions.syncing import BEGINNING, OVERLAP, PAUSES_S
from shared.errors import ConfigurationError, DependencyUnavailable
from shared.jobs import JobState
from tests.shared.audience.suppressions.world import (
    BOUNCE,
    COMPLAINT,
    ERASURE,
    MANUAL,
    UNSUBSCRIBED,
    World,
)


def away() -> Exception:
    return DependencyUnavailable("sendgrid: SendGrid answered 503; it will be asked again")


def test_a_fact_suppresses_in_every_workspace_that_has_the_person() -> None:
    world = World()
    world.add("ann@example.com")
    world.add_to(world.other, "ann@example.com")
    world.add_to(world.other, "bob@example.com")
    world.sendgrid.own += [
        world.seen("Ann@Example.com"), world.seen("bob@example.com", COMPLAINT),
        world.seen("nobody@example.com"), world.seen("no address"),
    ]  # fmt: skip
    job = world.run_sync()
    counts = job.progress["providers"]["sendgrid"]
    assert (counts["pulled"], counts["suppressed"], counts["error"]) == (4, 3, "")
    for workspace in (world.ws, world.other):
        entry = world.entry("ann@example.com", workspace)
        assert entry is not None
        assert (entry.reason, entry.source) == (BOUNCE, "sync:sendgrid")
        assert (entry.address, entry.at) == ("ann@example.com", world.sendgrid.own[0].at)
    assert world.stored("ann@example.com").suppressed is BOUNCE
    assert world.entry("bob@example.com") is None
    assert world.entry("nobody@example.com") is None


def test_who_is_added_later_is_suppressed_by_what_is_known() -> None:
    world = World()
    world.ses.own.append(world.seen("ann@example.com", COMPLAINT))
    world.run_sync()
    news = world.a_list()
    assert world.add("ann@example.com", news).suppressed is COMPLAINT
    world.ses.own.append(world.seen("bob@example.com"))
    world.run_sync()
    world.import_csv("email\nbob@example.com\ncat@example.com\n", news)
    assert world.stored("bob@example.com").suppressed is BOUNCE
    assert world.stored("bob@example.com").lists == {}
    assert world.stored("cat@example.com").suppressed is None
    world.ses.own.append(world.seen("new@example.com"))
    world.run_sync()
    cat = world.stored("cat@example.com")
    moved = world.address_changes.change(world.ws, cat.id, "new@example.com")
    assert moved.suppressed is BOUNCE


def test_only_what_is_new_is_read_again_and_nobody_who_was_let_go_is_caught_again() -> None:
    world = World()
    ann = world.add("ann@example.com")
    world.sendgrid.own.append(world.seen("ann@example.com"))
    first = world.run_sync()
    assert world.sendgrid.asked == [(BEGINNING, first.created_at)]
    world.list.remove(world.ws, ann.id, confirmed=False, at_providers=False)
    world.clock.advance(seconds=3600)
    second = world.run_sync()
    assert world.sendgrid.asked[-1] == (first.created_at - OVERLAP, second.created_at)
    assert second.progress["providers"]["sendgrid"]["pulled"] == 1
    assert world.entry("ann@example.com") is None
    # Another provider's word, or a graver one, is news.
    world.ses.own.append(world.seen("ann@example.com", COMPLAINT))
    world.run_sync()
    entry = world.entry("ann@example.com")
    assert entry is not None
    assert entry.reason is COMPLAINT


def test_each_provider_is_told_what_it_lacks_once() -> None:
    world = World()
    world.sendgrid.own += [world.seen(f"p{n}@example.com") for n in range(5)]
    job = world.run_sync()
    assert world.ses.placed == {f"p{n}@example.com": BOUNCE for n in range(5)}
    assert world.sendgrid.placed == {}
    assert job.progress["providers"]["ses"]["pushed"] == 5
    again = world.run_sync()
    assert again.progress["providers"]["ses"]["pushed"] == 0
    known = world.known_of("p0@example.com")
    assert known is not None
    assert (set(known.found), set(known.placed)) == ({"sendgrid"}, {"ses"})


def test_what_the_webhooks_saw_goes_everywhere_and_a_wish_goes_nowhere() -> None:
    world = World()
    ann, bob = world.add("ann@example.com"), world.add("bob@example.com")
    world.add_to(world.other, "ann@example.com")
    world.consent.suppress(world.ws, ann.id, BOUNCE, source="webhook:ses")
    world.consent.suppress(world.ws, bob.id, MANUAL, source="api:key_1")
    world.import_file("email,reason\ncat@example.com,complaint\n")
    world.consent.suppress(world.ws, world.id_of("dan@example.com"), ERASURE, source="erasure")
    job = world.run_sync()
    assert job.progress["gathered"] == 1
    entry = world.entry("ann@example.com", world.other)
    assert entry is not None
    assert (entry.reason, entry.source) == (BOUNCE, "webhook:ses")
    assert world.sendgrid.placed == {"ann@example.com": BOUNCE}
    assert world.ses.placed == {}, "it reported that itself"
    assert len(world.known.known) == 1


def test_an_unsubscription_counts_where_it_can_mean_but_one_workspace() -> None:
    world = World()
    news = world.a_list()
    world.add("ann@example.com", news)
    world.add("bob@example.com", news)
    world.add_to(world.other, "bob@example.com")
    world.run_sync()
    world.clock.advance(seconds=60)
    world.sendgrid.own += [
        world.seen("ann@example.com", UNSUBSCRIBED, hours=0),
        world.seen("bob@example.com", UNSUBSCRIBED, hours=0),
    ]
    job = world.run_sync()
    counts = job.progress["providers"]["sendgrid"]
    assert (counts["suppressed"], counts["left_alone"]) == (1, 1)
    ann = world.stored("ann@example.com")
    assert (ann.suppressed, ann.lists) == (UNSUBSCRIBED, {news: ListState.UNSUBSCRIBED})
    assert world.entry("bob@example.com") is None
    assert world.entry("bob@example.com", world.other) is None
    assert world.ses.placed == {}


def test_what_we_placed_there_is_no_wish_of_hers() -> None:
    world = World()
    ann = world.add("ann@example.com")
    world.ses.own.append(world.seen("ann@example.com"))
    world.run_sync()
    world.list.remove(world.ws, ann.id, confirmed=False, at_providers=False)
    world.clock.advance(seconds=60)
    # SendGrid shows what is placed there among the unsubscribes.
    world.sendgrid.own.append(world.seen("ann@example.com", UNSUBSCRIBED, hours=0))
    world.run_sync()
    assert world.entry("ann@example.com") is None


def test_an_old_unsubscription_does_not_come_back() -> None:
    world = World()
    ann = world.add("ann@example.com")
    world.sendgrid.own.append(world.seen("ann@example.com", UNSUBSCRIBED))
    world.run_sync()
    world.list.remove(world.ws, ann.id, confirmed=True, at_providers=False)
    world.clock.advance(seconds=60)
    world.run_sync()
    assert world.entry("ann@example.com") is None


@pytest.mark.parametrize(
    ("failures", "says"),
    [
        ([away()] * 3, "503"),
        ([ConfigurationError("sendgrid: check the key")], "check the key"),
    ],
)
def test_what_fails_at_one_provider_stops_no_other(failures: list[Exception], says: str) -> None:
    world = World()
    world.sendgrid.own.append(world.seen("ann@example.com"))
    world.ses.own.append(world.seen("bob@example.com"))
    world.sendgrid.failures = failures
    job = world.run_sync()
    assert job.state is JobState.DONE
    assert says in job.progress["providers"]["sendgrid"]["error"]
    assert job.progress["providers"]["ses"]["pulled"] == 1
    assert world.sendgrid.placed == {}
    later = world.run_sync()
    assert later.progress["providers"]["sendgrid"]["error"] == ""
    assert world.known_of("ann@example.com") is not None
    assert world.sendgrid.placed == {"bob@example.com": BOUNCE}
    assert world.ses.placed == {"ann@example.com": BOUNCE}


def test_a_passing_failure_is_waited_out() -> None:
    world = World()
    world.sendgrid.failures = [away(), away()]
    job = world.run_sync()
    assert job.progress["providers"]["sendgrid"]["error"] == ""
    assert world.pauses == list(PAUSES_S)


def test_what_a_provider_refuses_is_counted_and_tried_next_time() -> None:
    world = World()
    world.ses.own.append(world.seen("ann@example.com"))
    world.sendgrid.refused = {"ann@example.com"}
    assert world.run_sync().progress["providers"]["sendgrid"]["refused"] == 1
    world.sendgrid.refused = set()
    assert world.run_sync().progress["providers"]["sendgrid"]["pushed"] == 1


def test_every_step_may_be_done_again() -> None:
    world = World()
    world.add("ann@example.com")
    world.sendgrid.own += [world.seen(f"p{n}@example.com") for n in range(3)]
    world.sendgrid.own.append(world.seen("ann@example.com", COMPLAINT))
    job = world.sync.start()
    while job.state is not JobState.DONE:
        world.sync_step.run(job)
        job = world.sync_step.run(job)
    entry = world.entry("ann@example.com")
    assert entry is not None
    assert entry.reason is COMPLAINT
    assert set(world.ses.placed) == {*(f"p{n}@example.com" for n in range(3)), "ann@example.com"}


def test_an_erased_address_is_told_to_nobody_and_still_suppresses() -> None:
    world = World()
    world.sendgrid.own.append(world.seen("ann@example.com"))
    world.run_sync()
    world.ses.placed.clear()
    world.everywhere.forget("ann@example.com")
    world.sendgrid.own[0] = world.seen("ann@example.com", COMPLAINT, hours=0)
    world.clock.advance(seconds=60)
    world.run_sync()
    known = world.known_of("ann@example.com")
    assert known is not None
    assert (known.address, known.reason) == ("", COMPLAINT)
    assert world.ses.placed == {}
    assert world.add("ann@example.com").suppressed is COMPLAINT


def test_of_an_erased_person_a_providers_list_brings_back_the_hash_alone() -> None:
    world = World()
    world.consent.suppress(world.ws, world.id_of("ann@example.com"), ERASURE, source="erasure")
    world.consent.suppress(world.ws, world.id_of("bob@example.com"), ERASURE, source="erasure")
    world.add_to(world.other, "bob@example.com")
    world.sendgrid.own += [world.seen("ann@example.com"), world.seen("bob@example.com")]
    world.run_sync()
    ann, bob = world.known_of("ann@example.com"), world.known_of("bob@example.com")
    assert ann is not None
    assert bob is not None
    assert (ann.address, bob.address) == ("", "bob@example.com")
    assert world.ses.placed == {"bob@example.com": BOUNCE}
    entry = world.entry("ann@example.com")
    assert entry is not None
    assert (entry.reason, entry.address) == (ERASURE, "")


def test_a_complaint_outweighs_a_bounce_of_the_same_page() -> None:
    world = World()
    world.add("ann@example.com")
    world.ses.own += [world.seen("ann@example.com", COMPLAINT), world.seen("Ann@example.com")]
    world.run_sync()
    entry = world.entry("ann@example.com")
    assert entry is not None
    assert entry.reason is COMPLAINT


def test_the_time_of_the_first_run_covers_all_there_ever_was() -> None:
    world = World()
    world.ses.own.append(world.seen("ann@example.com", hours=24 * 365 * 10))
    world.run_sync()
    assert world.known_of("ann@example.com") is not None
