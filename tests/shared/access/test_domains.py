from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.access.domains import (
    SenderDomainService,
    record_name,
    record_value,
)
from shared.access.model import DomainState, SenderDomain
from shared.access.senders import SenderBinding, normalise_domain
from shared.errors import AlreadyExists, Conflict, DependencyUnavailable, InvalidInput, NotFound
from shared.ids import Ids
from tests.fakes import FakeClock, FakeSenderDomains, FakeTxt, seeded_bytes

OURS, THEIRS = "ws_ours", "ws_theirs"


class Domains:
    def __init__(self) -> None:
        clock = FakeClock()
        self.txt = FakeTxt()
        ids = Ids(clock, seeded_bytes())
        store = FakeSenderDomains()
        self.service = SenderDomainService(store, self.txt, ids, clock, seeded_bytes(2))
        self.senders = SenderBinding(store)

    def verified(self, workspace: str, name: str) -> SenderDomain:
        added = self.service.add(workspace, name)
        self.txt.records[record_name(added)] = [record_value(added)]
        return self.service.verify(workspace, added.id)


@pytest.fixture
def domains() -> Domains:
    return Domains()


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        (" news.example.com ", "news.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("Bücher。example", "xn--bcher-kva.example"),
    ],
)
def test_domains_are_normalised(written: str, name: str) -> None:
    assert normalise_domain(written) == name


@pytest.mark.parametrize(
    "written",
    [
        "",
        ".",
        "localhost",
        "exa mple.com",
        "example..com",
        "-a.example",
        "under_score.example",
        "127.0.0.1",
        "user@example.com",
        "a.example\nb.example",
        "x" * 64 + ".example",
        ".".join(["x" * 60] * 5),
    ],
)
def test_what_is_no_domain_is_refused(written: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        normalise_domain(written)
    assert [problem.field for problem in caught.value.problems] == ["domain"]


@given(st.text())
def test_normalising_is_idempotent(written: str) -> None:
    try:
        name = normalise_domain(written)
    except InvalidInput:
        return
    assert normalise_domain(name) == name


def test_a_domain_is_pending_until_its_record_is_found(domains: Domains) -> None:
    added = domains.service.add(OURS, "example.com")
    assert added.state is DomainState.PENDING
    with pytest.raises(Conflict) as caught:
        domains.service.verify(OURS, added.id)
    assert "_tidepost.example.com" in str(caught.value)
    assert f"tidepost-verify={added.token}" in str(caught.value)
    domains.txt.records["_tidepost.example.com"] = ["v=spf1 -all"]
    with pytest.raises(Conflict, match="1 other TXT"):
        domains.service.verify(OURS, added.id)
    domains.txt.records["_tidepost.example.com"].append(f"tidepost-verify={added.token}")
    assert domains.service.verify(OURS, added.id).state is DomainState.VERIFIED
    domains.txt.down = True
    assert domains.service.verify(OURS, added.id).state is DomainState.VERIFIED


def test_dns_that_does_not_answer_is_said_so(domains: Domains) -> None:
    added = domains.service.add(OURS, "example.com")
    domains.txt.down = True
    with pytest.raises(DependencyUnavailable):
        domains.service.verify(OURS, added.id)


def test_a_domain_is_added_once_per_workspace(domains: Domains) -> None:
    domains.service.add(OURS, "example.com")
    with pytest.raises(AlreadyExists):
        domains.service.add(OURS, "EXAMPLE.com")
    domains.service.add(THEIRS, "example.com")


def test_a_domain_verified_elsewhere_cannot_be_added_and_its_owner_is_not_named(
    domains: Domains,
) -> None:
    domains.verified(THEIRS, "example.com")
    with pytest.raises(Conflict) as caught:
        domains.service.add(OURS, "example.com")
    assert THEIRS not in str(caught.value)


def test_of_two_workspaces_the_first_to_verify_has_the_domain(domains: Domains) -> None:
    ours = domains.service.add(OURS, "example.com")
    domains.verified(THEIRS, "example.com")
    domains.txt.records["_tidepost.example.com"].append(f"tidepost-verify={ours.token}")
    with pytest.raises(Conflict):
        domains.service.verify(OURS, ours.id)
    with pytest.raises(InvalidInput):
        domains.senders.check_sender(OURS, "news@example.com")


@pytest.mark.parametrize(
    "address", ["a@example.com", "a@EXAMPLE.com", "a@news.example.com", '"a@b"@example.com']
)
def test_a_verified_domain_and_all_below_it_may_send(domains: Domains, address: str) -> None:
    domains.verified(OURS, "example.com")
    domains.senders.check_sender(OURS, address)
    domains.senders.check_not_foreign(OURS, address)


@pytest.mark.parametrize(
    "address", ["a@notexample.com", "a@example.org", "a@com", "a@", "@example.com", "nobody", ""]
)
def test_no_other_address_may_send(domains: Domains, address: str) -> None:
    domains.verified(OURS, "example.com")
    with pytest.raises(InvalidInput) as caught:
        domains.senders.check_sender(OURS, address)
    assert [problem.field for problem in caught.value.problems] == ["sender.email"]


def test_a_subdomain_proven_by_another_workspace_is_theirs_alone(domains: Domains) -> None:
    domains.verified(OURS, "example.com")
    domains.verified(THEIRS, "shop.example.com")
    domains.senders.check_sender(THEIRS, "a@shop.example.com")
    domains.senders.check_sender(OURS, "a@example.com")
    for check in (domains.senders.check_sender, domains.senders.check_not_foreign):
        with pytest.raises(InvalidInput):
            check(OURS, "a@shop.example.com")
        with pytest.raises(InvalidInput):
            check(THEIRS, "a@example.com")


def test_an_unverified_domain_may_be_saved_but_not_sent_from(domains: Domains) -> None:
    domains.service.add(OURS, "example.com")
    domains.senders.check_not_foreign(OURS, "a@example.com")
    with pytest.raises(InvalidInput, match="not a verified sender domain"):
        domains.senders.check_sender(OURS, "a@example.com")


def test_a_deleted_domain_is_free_for_others(domains: Domains) -> None:
    ours = domains.verified(OURS, "example.com")
    with pytest.raises(NotFound):
        domains.service.delete(THEIRS, ours.id)
    domains.service.delete(OURS, ours.id)
    with pytest.raises(InvalidInput):
        domains.senders.check_sender(OURS, "a@example.com")
    assert domains.verified(THEIRS, "example.com").workspace == THEIRS
