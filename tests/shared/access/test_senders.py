"""Whose sender domain it is: asked at save, at launch and at send."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.access.model import SenderDomain
from shared.access.senders import SenderBinding, normalise_domain
from shared.errors import InvalidInput
from tests.fakes import FakeSenderDomains

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
MINE, THEIRS = "ws_mine", "ws_theirs"


@pytest.fixture
def binding() -> SenderBinding:
    """`acme.example` is mine, and `shop.acme.example` below it is theirs."""
    domains = FakeSenderDomains()
    for workspace, name in ((MINE, "acme.example"), (THEIRS, "shop.acme.example")):
        domain = SenderDomain(f"dom_{name}", workspace, name, "token", NOW)
        domains.create(domain)
        domains.verify(domain, NOW)
    pending = SenderDomain("dom_p", MINE, "pending.example", "token", NOW)
    domains.create(pending)
    return SenderBinding(domains)


@pytest.mark.parametrize(
    "address",
    [
        "a@acme.example",
        "a@ACME.Example",
        "a@acme.example.",
        "a@news.acme.example",
        "a@very.deep.news.acme.example",
        '"a@b"@acme.example',
    ],
)
def test_my_domain_and_all_below_it_are_mine(binding: SenderBinding, address: str) -> None:
    binding.check_sender(MINE, address)
    binding.check_not_foreign(MINE, address)
    with pytest.raises(InvalidInput, match=r"sender\.email"):
        binding.check_sender(THEIRS, address)
    with pytest.raises(InvalidInput, match=r"sender\.email"):
        binding.check_not_foreign(THEIRS, address)


def test_what_another_workspace_has_proven_below_it_is_theirs(binding: SenderBinding) -> None:
    for address in ("a@shop.acme.example", "a@eu.shop.acme.example"):
        binding.check_sender(THEIRS, address)
        with pytest.raises(InvalidInput):
            binding.check_sender(MINE, address)


@pytest.mark.parametrize(
    "address", ["a@pending.example", "a@example", "a@notacme.example", "a@acme.example.org"]
)
def test_what_nobody_has_proven_is_nobodys(binding: SenderBinding, address: str) -> None:
    with pytest.raises(InvalidInput):
        binding.check_sender(MINE, address)


def test_what_nobody_has_proven_may_be_drafted(binding: SenderBinding) -> None:
    binding.check_not_foreign(MINE, "a@pending.example")


@pytest.mark.parametrize(
    "address", ["", "acme.example", "a@", "a@acme..example", "a@-x.example", "a@10.0.0.1", "a@a b"]
)
def test_a_malformed_address_names_the_field(binding: SenderBinding, address: str) -> None:
    for check in (binding.check_sender, binding.check_not_foreign):
        with pytest.raises(InvalidInput) as error:
            check(MINE, address)
        assert error.value.problems[0].field == "sender.email"


def test_no_message_says_whose_it_is_or_holds_the_address(binding: SenderBinding) -> None:
    for workspace, address in ((MINE, "ann@shop.acme.example"), (THEIRS, "ann@acme.example")):
        for check in (binding.check_sender, binding.check_not_foreign):
            with pytest.raises(InvalidInput) as error:
                check(workspace, address)
            for private in (address, MINE, THEIRS):
                assert private not in str(error.value)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (" News.Example.COM. ", "news.example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
    ],
)
def test_a_domain_has_one_form(text: str, name: str) -> None:
    assert normalise_domain(text) == name


@given(st.text(max_size=80))
def test_any_text_is_a_domain_or_is_refused(text: str) -> None:
    try:
        name = normalise_domain(text, "domain")
    except InvalidInput:
        return
    assert name == normalise_domain(name)
    assert name == name.lower()
    assert name.isascii()
    assert "." in name


def test_a_name_must_leave_room_for_the_proving_record() -> None:
    label = "a" * 60
    fits = ".".join([label] * 3 + ["b" * 59, "c"])
    assert len(fits) == 244
    with pytest.raises(InvalidInput):
        normalise_domain(fits)
    assert normalise_domain(fits[1:]) == fits[1:]
