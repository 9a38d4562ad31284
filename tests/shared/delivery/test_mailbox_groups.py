"""The table, MX records for the rest, and what is done when nobody answers."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from shared.delivery import mailbox_groups as module
from shared.delivery.mailbox_groups import KEPT, UNKNOWN_FOR, MailboxGroups, group_of_hosts
from shared.mail import MailboxGroup
from tests.fakes import FakeClock, FakeMx, FakeMxStore

Group = MailboxGroup
ONE_BY_ONE = ThreadPoolExecutor(1)
GOOGLE, OUTLOOK = "aspmx.l.google.com", "acme-example.mail.protection.outlook.com"


def made(
    **hosts: str,
) -> tuple[FakeClock, FakeMx, FakeMxStore, MailboxGroups]:
    """`acme=host` says where the mail of acme.example goes."""
    clock, store = FakeClock(), FakeMxStore()
    mx = FakeMx({f"{name}.example": [host] for name, host in hosts.items()})
    return clock, mx, store, MailboxGroups(mx, store, ONE_BY_ONE, clock)


@pytest.mark.parametrize(
    ("hosts", "group"),
    [
        ([GOOGLE, "alt1.aspmx.l.google.com"], Group.GMAIL),
        (["smtp.google.com"], Group.GMAIL),
        (["aspmx2.googlemail.com"], Group.GMAIL),
        ([OUTLOOK], Group.MICROSOFT),
        (["acme-example.o-v1.mx.microsoft"], Group.MICROSOFT),
        (["mta5.am0.yahoodns.net"], Group.YAHOO),
        (["mx01.mail.icloud.com"], Group.APPLE),
        (["mx00.gmx.net"], Group.GMX),
        (["mail.protonmail.ch"], Group.PROTON),
        (["eu-smtp-inbound-1.mimecast.com", GOOGLE], Group.OTHER),  # the preferred one decides
        (["mx0a-00000.pphosted.com"], Group.OTHER),
        (["google.com.example.org"], Group.OTHER),
        (["evilgoogle.com"], Group.OTHER),
        (["com"], Group.OTHER),
        ([], Group.OTHER),
    ],
)
def test_a_host_belongs_to_a_group_by_its_domain(hosts: list[str], group: MailboxGroup) -> None:
    assert group_of_hosts(hosts) is group


def test_without_a_look_up_the_table_decides() -> None:
    store = FakeMxStore()
    store.down = True
    groups = MailboxGroups(None, store, ONE_BY_ONE, FakeClock())
    addresses = {3: "a@gmail.com", 1: "b@Hotmail.de", 2: "c@acme.example"}
    assert list(groups.of(addresses).items()) == [
        (3, Group.GMAIL),
        (1, Group.MICROSOFT),
        (2, Group.OTHER),
    ]


def test_mx_records_decide_for_all_that_is_not_in_the_table() -> None:
    _, mx, store, groups = made(acme=GOOGLE, firm=OUTLOOK, own="mail.own.example")
    addresses = dict(
        enumerate(
            ["a@acme.example", "b@ACME.example", "c@firm.example", "d@own.example", "e@gmail.com"]
        )
    )
    expected = [Group.GMAIL, Group.GMAIL, Group.MICROSOFT, Group.OTHER, Group.GMAIL]
    assert list(groups.of(addresses).values()) == expected
    assert mx.asked == ["acme.example", "firm.example", "own.example"]
    assert groups.trouble == ""
    assert set(store.groups) == {"acme.example", "firm.example", "own.example"}


def test_an_answer_is_kept_here_and_for_the_other_workers_also_a_negative_one() -> None:
    clock, mx, store, groups = made(acme=GOOGLE)
    addresses = {0: "a@acme.example", 1: "b@none.example"}
    first = groups.of(addresses)
    store.groups.clear()
    assert groups.of(addresses) == first == {0: Group.GMAIL, 1: Group.OTHER}
    assert len(mx.asked) == 2
    clock.advance(days=KEPT / timedelta(days=1))
    assert groups.of(addresses) == first
    assert len(mx.asked) == 4
    other = FakeMx()
    assert MailboxGroups(other, store, ONE_BY_ONE, clock).of(addresses) == first
    assert other.asked == []
    assert {until for _, until in store.groups.values()} == {clock.now() + KEPT}


def test_no_answer_is_other_for_a_while_and_kept_by_nobody_else() -> None:
    clock, mx, store, groups = made(acme=GOOGLE)
    mx.silent.add("acme.example")
    assert groups.of({0: "a@acme.example"}) == {0: Group.OTHER}
    assert "1 gave no MX records (DependencyUnavailable)" in groups.trouble
    assert "acme" not in groups.trouble
    assert store.groups == {}
    mx.silent.clear()
    assert groups.of({0: "a@acme.example"}) == {0: Group.OTHER}
    assert groups.trouble == ""
    clock.advance(minutes=UNKNOWN_FOR / timedelta(minutes=1))
    assert groups.of({0: "a@acme.example"}) == {0: Group.GMAIL}


def test_a_store_that_is_down_fails_nothing() -> None:
    _, _, store, groups = made(acme=GOOGLE)
    store.down = True
    assert groups.of({0: "a@acme.example"}) == {0: Group.GMAIL}
    assert groups.trouble.startswith("DynamoDB did not answer")


def test_a_name_that_cannot_be_a_domain_is_not_asked_for() -> None:
    _, mx, _, groups = made()
    assert groups.of({0: "nobody", 1: f"a@{'b' * 254}", 2: "c@"}) == dict.fromkeys(
        range(3), Group.OTHER
    )
    assert mx.asked == ["nobody"]


def test_who_is_slow_costs_the_budget_and_not_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUDGET_S", 0.01)
    answer = threading.Event()

    class Slow(FakeMx):
        def mx(self, domain: str) -> list[str]:
            answer.wait()
            return super().mx(domain)

    mx = Slow({"acme.example": [GOOGLE], "firm.example": [OUTLOOK]})
    with ThreadPoolExecutor(1) as executor:
        groups = MailboxGroups(mx, FakeMxStore(), executor, FakeClock())
        addresses = {0: "a@acme.example", 1: "b@firm.example"}
        assert groups.of(addresses) == dict.fromkeys(range(2), Group.OTHER)
        assert "1 were not asked" in groups.trouble
        answer.set()
    assert mx.asked == ["acme.example"]


def test_a_container_forgets_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_KNOWN", 2)
    _, mx, store, groups = made(a=GOOGLE, b=GOOGLE, c=GOOGLE)
    groups.of({0: "x@a.example", 1: "x@b.example", 2: "x@c.example"})
    store.groups.clear()
    assert groups.of({0: "x@c.example", 1: "x@a.example"}) == dict.fromkeys(range(2), Group.GMAIL)
    assert mx.asked[3:] == ["a.example"]
