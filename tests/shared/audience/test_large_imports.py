"""Imports of uploaded files: packed, in many steps, dry, with a report."""

import csv
import gzip
import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.audience import import_files, import_reading, mail_domains
from shared.audience.importing import ImportOptions
from shared.audience.model import ListState, SuppressionReason
from shared.audience.rows import FileFormat
from shared.audience.settings import AudienceSettings, QualityAction
from shared.errors import InvalidInput, NotFound, WrongState
from shared.jobs import Job, JobRunner, JobState
from tests.fakes import FakeMx
from tests.shared.audience.world import World

PEOPLE = "email,name\n" + "".join(f"p{i}@example.com,Person {i}\n" for i in range(300))


def report(world: World, job: Job) -> list[list[str]]:
    link = world.imports.report_link(job)
    key = link.partition("?")[0].removeprefix("https://files.example/")
    return list(csv.reader(io.StringIO(world.blobs.files[key].decode())))


def test_a_form_is_bound_to_one_random_key_and_a_size() -> None:
    world = World()
    options = import_options()
    one, other = (world.imports.open(world.ws, options) for _ in range(2))
    keys = {opened.form.fields["key"] for opened in (one, other)}
    assert len(keys) == 2
    assert all(key.startswith(f"{world.ws}/imports/job_") for key in keys)
    assert one.form.fields["max"] == str(1024**3)
    assert one.form.fields["seconds"] == "900"
    assert one.until == world.clock.now() + (one.until - one.job.created_at)
    assert one.job.state is JobState.WAITING
    assert world.queue.messages == []


def import_options(**changes: Any) -> ImportOptions:
    return ImportOptions(**{"file_format": FileFormat.CSV, **changes})


def test_it_is_begun_once_the_file_is_there() -> None:
    world = World()
    opened = world.imports.open(world.ws, import_options())
    with pytest.raises(WrongState, match="not there yet"):
        world.imports.begin(world.ws, opened.job.id)
    with pytest.raises(NotFound):
        world.imports.begin("ws_other", opened.job.id)
    world.blobs.put(opened.form.fields["key"], PEOPLE.encode(), content_type="text/csv")
    job = world.imports.begin(world.ws, opened.job.id)
    assert world.imports.begin(world.ws, opened.job.id) == job
    assert {message.job for message in world.queue.messages} == {job.id}
    done = world.run_import(job)
    assert done.progress["created"] == 300
    assert world.imports.begin(world.ws, job.id) == done


def test_an_array_cannot_be_uploaded() -> None:
    world = World()
    with pytest.raises(InvalidInput, match="content_type"):
        world.imports.open(world.ws, import_options(file_format=FileFormat.JSON))


def test_the_runner_leaves_a_waiting_import_alone() -> None:
    world = World()
    job = world.imports.open(world.ws, import_options()).job
    runner = JobRunner(world.jobs, world.queue, {job.kind: world.import_step}, world.clock)
    assert runner.run(world.ws, job.id, world.clock.now()).state is JobState.WAITING


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 400), st.integers(20, 3000), st.booleans(), st.data())
def test_steps_of_any_size_packed_or_not_give_the_same(
    rows: int, part: int, packed: bool, data: st.DataObject
) -> None:
    world = World(people_per_step=70, rows_per_step=rows)
    body = (PEOPLE + PEOPLE.partition("\n")[2] + "bad,x\n").encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(import_files, "UNPACKED_BYTES", part)
        patch.setattr(import_reading, "UNPACKED_BYTES", part)
        job = world.open_import(gzip.compress(body) if packed else body)
        while job.state not in {JobState.DONE, JobState.FAILED}:
            for _ in range(data.draw(st.integers(0, 1))):
                world.import_step.run(job)
            job = world.jobs.save(world.import_step.run(job))
    progress = job.progress
    assert (progress["rows"], progress["created"], progress["duplicates"]) == (601, 300, 300)
    assert (progress["rejected"], progress["percent"]) == (1, 100)
    assert report(world, job) == [["row", "field", "reason"], ["602", "email", "has no @"]]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (gzip.compress(PEOPLE.encode())[:-9], "ends early"),
        (gzip.compress(b"x" * 200_000_000, 9), "100 times its size"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (b"\x1f\x8bnonsense", "not valid gzip"),
        (b"name,mail\nAnn,ann@example.com\n", "no column named email"),
        (b'email,name\nann@example.com,"Ann\n', "not valid CSV"),
        ((PEOPLE + "caf\xe9@example.com\n").encode("latin-1"), "is not UTF-8"),
        (b"\n \n", "no subscribers"),
    ],
)
def test_a_file_that_cannot_be_read_fails_the_job_and_changes_nobody(
    body: bytes, reason: str
) -> None:
    world = World()
    job = world.open_import(body)
    with pytest.raises(InvalidInput, match=reason):
        world.run_import(job)
    assert world.subscribers.people == {}


def test_a_mapping_that_does_not_fit_fails_the_job() -> None:
    world = World()
    job = world.open_import(PEOPLE.encode(), mapping={"Mail": "email"})
    with pytest.raises(InvalidInput, match="no column 'Mail', which the mapping names"):
        world.run_import(job)


def test_too_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_reading, "MAX_ROWS", 299)
    world = World()
    with pytest.raises(InvalidInput, match="more than 299 rows"):
        world.run_import(world.open_import(PEOPLE.encode()))


def test_what_is_odd_in_an_address_is_told_for_each_row() -> None:
    world = World()
    rows = {
        "": "is empty",
        '"a@example.com, b@example.com"': "must be one address; this looks like several",
        "a@example.com b@example.com": "must be one address; this looks like several",
        "a\x07b@example.com": "has a line break, a control character or an invisible one",
        "=cmd()@x": "the part after the @ is not a domain that mail can be sent to",
    }
    job = world.import_csv("email,x\n" + "".join(f"{email},1\n" for email in rows))
    assert [row[2] for row in report(world, job)[1:]] == list(rows.values())


def test_dns_is_not_asked_unless_the_settings_want_it() -> None:
    world = World()
    world.mx.hosts["dead.example"] = []
    assert world.import_csv("email\na@dead.example\n").progress["created"] == 1
    assert world.mx.asked == []


@pytest.mark.parametrize("action", [QualityAction.FLAG, QualityAction.REJECT])
def test_each_domain_of_a_step_is_asked_for_once(action: QualityAction) -> None:
    world = World(rows_per_step=4)
    world.settings.save(world.ws, AudienceSettings(no_mx=action))
    world.mx.hosts["dead.example"] = []
    world.mx.silent.add("silent.example")
    domains = ["good.example", "dead.example", "silent.example", "good.example"]
    job = world.import_csv(
        "email\nbad\n" + "".join(f"p{n}@{d}\n" for n, d in enumerate(domains + domains))
    )
    assert sorted(world.mx.asked[:3]) == sorted(set(domains))
    assert len(world.mx.asked) == 7  # in the second step three, and one in the third
    dead = ["p1@dead.example", "p5@dead.example"]
    if action is QualityAction.FLAG:
        assert [world.stored(one).quality for one in dead] == [("no_mx",)] * 2
        assert job.progress["created"] == 8
    else:
        assert report(world, job)[1:] == [
            ["2", "email", "has no @"],
            ["4", "email", "is of a domain that takes no mail"],
            ["8", "email", "is of a domain that takes no mail"],
        ]
    assert {one.quality for one in world.subscribers.people.values()} <= {(), ("no_mx",)}
    assert world.stored("p2@silent.example").quality == ()


def test_a_step_ends_when_it_has_met_as_many_domains_as_may_be_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(import_reading, "DOMAINS_PER_STEP", 3)
    world = World()
    world.settings.save(world.ws, AudienceSettings(no_mx=QualityAction.FLAG))
    job = world.open_import(b"email\n" + b"".join(b"p@d%d.example\n" % n for n in range(7)))
    first = world.jobs.save(world.import_step.run(job))
    assert (first.progress["rows"], len(world.mx.asked)) == (3, 3)
    assert world.run_import(first).progress["created"] == 7
    assert len(world.mx.asked) == 7


def test_dns_that_is_slow_costs_the_budget_and_refuses_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mail_domains, "BUDGET_S", 0.01)
    answer = threading.Event()

    class Slow(FakeMx):
        def mx(self, domain: str) -> list[str]:
            answer.wait()
            return super().mx(domain)

    slow = Slow({"a.example": [], "b.example": []})
    with ThreadPoolExecutor(1) as executor:
        found = mail_domains.MailDomains(slow, executor).dead(["a.example", "b.example"])
        answer.set()
    assert found == frozenset()
    assert slow.asked == ["a.example"]


@pytest.mark.parametrize("policy", ["merge", "overwrite", "skip"])
def test_a_dry_run_reports_what_would_be_and_writes_nothing(policy: str) -> None:
    body = (
        "Email Address,First Name,status\nann@example.com,Anna,subscribed\n"
        "bob@example.com,Bob,unsubscribed\nnew@example.com,New,cleaned\nbad,,\n"
    )
    outcomes = []
    for dry_run in (True, False):
        world = World()
        news = world.a_list()
        world.import_csv("email,first_name\nann@example.com,Ann\nbob@example.com,Bob\n", news)
        before = dict(world.subscribers.people), {**world.memberships.lists}
        job = world.upload(body, news, policy=policy, product="mailchimp", dry_run=dry_run)
        done = world.run_import(job)
        outcomes.append(done.progress)
        if dry_run:
            assert (dict(world.subscribers.people), {**world.memberships.lists}) == before
            assert world.suppressions.entries == {}
            assert len(report(world, done)) == 2
    assert outcomes[0] == outcomes[1]


def test_an_import_brings_nobody_back_who_was_suppressed_before() -> None:
    world = World()
    news = world.a_list()
    world.consent.suppress(
        world.ws, world.id_of("ann@example.com"), SuppressionReason.COMPLAINT, source="x"
    )
    row = {"email": "ann@example.com", "lists": {news: "subscribed"}}
    body = json.dumps(row)
    job = world.upload(body, news, content_type="application/x-ndjson", product="tidepost")
    assert world.run_import(job).progress["kept_unsubscribed"] == 1
    ann = world.stored("ann@example.com")
    assert (ann.lists, ann.suppressed) == ({}, SuppressionReason.COMPLAINT)
    assert world.members(news) == set()


def test_somebodys_former_address_is_rejected() -> None:
    world = World()
    ann = world.add("ann@example.com")
    world.address_changes.change(world.ws, ann.id, "ann@new.example")
    job = world.import_csv("email\nann@example.com\nann@new.example\n")
    assert job.progress["reasons"] == {
        "email: is the former address of a subscriber, who has another one now": 1
    }


def test_a_step_killed_between_opt_outs_counts_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The suppression is written, the person is not: a second run reports what the first would."""
    world = World()
    news = world.a_list()
    world.add("ann@example.com", news)
    body = "Email Address,status\nann@example.com,cleaned\nnew@example.com,cleaned\n"
    job = world.jobs.save(world.import_step.run(world.upload(body, news, product="mailchimp")))
    put_many = world.subscribers.put_many
    monkeypatch.setattr(world.subscribers, "put_many", _dies)
    with pytest.raises(RuntimeError):
        world.import_step.run(job)
    monkeypatch.setattr(world.subscribers, "put_many", put_many)
    progress = world.run_import(job).progress
    assert (progress["created"], progress["updated"]) == (1, 1)
    assert world.stored("ann@example.com").suppressed is SuppressionReason.HARD_BOUNCE
    assert world.stored("ann@example.com").lists == {news: ListState.SUBSCRIBED}


def _dies(_people: object) -> None:
    raise RuntimeError
