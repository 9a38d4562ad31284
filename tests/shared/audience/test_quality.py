import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audience.address_check import AddressService
from shared.audience.domains import WELL_KNOWN, meant, one_edit_apart
from shared.audience.drafts import SubscriberDraft
from shared.audience.quality import AddressQuality, is_disposable
from shared.audience.segments.compiling import any_of
from shared.audience.segments.rules import check_rule
from shared.audience.settings import AudienceSettings, QualityAction
from shared.errors import InvalidInput
from tests.fakes import FakeAudienceSettings, FakeMx
from tests.shared.audience.world import World

ACCEPT, FLAG, REJECT = QualityAction


@pytest.mark.parametrize(
    ("domain", "suggestion"),
    [
        ("gmial.com", "gmail.com"),
        ("gmai.com", "gmail.com"),
        ("ggmail.com", "gmail.com"),
        ("gmail.co", "gmail.com"),
        ("gmail.con", "gmail.com"),
        ("gmial.con", "gmail.com"),
        ("hotnail.com", "hotmail.com"),
        ("yaho.com", "yahoo.com"),
        ("outlok.de", "outlook.de"),
        ("firma.con", "firma.com"),
        ("web.dee", "web.de"),
        ("yahoo.se", ""),
        ("gmx.eu", ""),
        ("mail.com", ""),
        ("example.com", ""),
        ("xn--mnchen-3ya.de", ""),
    ],
)
def test_slips_of_the_hand(domain: str, suggestion: str) -> None:
    assert meant(domain) == suggestion


def test_well_known_domains_are_meant_as_they_are() -> None:
    assert {meant(domain) for domain in WELL_KNOWN} == {""}


def naive_distance(one: str, other: str) -> int:
    """Optimal string alignment by its recurrence, to hold the quick test against."""
    rows = [
        [i + j if i * j == 0 else 0 for j in range(len(other) + 1)] for i in range(len(one) + 1)
    ]
    for i in range(1, len(one) + 1):
        for j in range(1, len(other) + 1):
            cost = one[i - 1] != other[j - 1]
            rows[i][j] = min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + cost)
            if i > 1 and j > 1 and one[i - 1] == other[j - 2] and one[i - 2] == other[j - 1]:
                rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
    return rows[-1][-1]


_texts = st.text("ab.", max_size=7)


@given(_texts, _texts)
def test_one_edit_is_the_distance_of_one(one: str, other: str) -> None:
    assert one_edit_apart(one, other) == (naive_distance(one, other) == 1)


def test_disposable_domains_and_those_under_them() -> None:
    assert is_disposable("mailinator.com")
    assert is_disposable("a.b.mailinator.com")
    assert not is_disposable("example.com")
    assert not is_disposable("com")


def test_a_report_says_all_whatever_the_settings() -> None:
    quality = AddressQuality(
        AudienceSettings(disposable=REJECT, role=ACCEPT), FakeMx({"hotnail.com": []})
    )
    report = quality.report(" Info+x@Hotnail.com ", ask_dns=True)
    assert report.address == "info+x@hotnail.com"
    assert report.flags == ("role", "typo", "no_mx")
    assert report.suggestion == "info+x@hotmail.com"
    assert report.action is FLAG
    assert quality.report("ann@mailinator.com").action is REJECT
    assert quality.report("ann@example.com").action is ACCEPT
    bad = quality.report("ann@")
    assert (bad.action, bad.address) == (REJECT, "")
    assert bad.problem
    international = quality.report("jürgen@münchen.de")
    assert international.address == "jürgen@xn--mnchen-3ya.de"


@pytest.mark.parametrize("flag", ["disposable", "role", "typo", "no_mx"])
def test_every_flag_can_be_accepted_flagged_and_refused(flag: str) -> None:
    address = {"disposable": "a@mailinator.com", "role": "info@a.example", "typo": "a@hotnail.com"}
    text, mx = address.get(flag, "a@dead.example"), FakeMx({"dead.example": []})
    kept = {}
    for action in (ACCEPT, FLAG):
        settings = AudienceSettings(**{flag: action})  # type: ignore[arg-type]  # by name
        kept[action] = AddressQuality(settings, mx).flags(text)
    assert kept == {ACCEPT: (), FLAG: (flag,)}
    with pytest.raises(InvalidInput) as refused:
        AddressQuality(AudienceSettings(**{flag: REJECT}), mx).flags(text)  # type: ignore[arg-type]  # by name
    assert "@" not in str(refused.value)


def test_dns_is_asked_only_where_it_matters_and_its_silence_refuses_nobody() -> None:
    mx = FakeMx({"dead.example": []})
    assert AddressQuality(AudienceSettings(), mx).flags("a@dead.example") == ()
    assert mx.asked == []
    mx.down = True
    assert AddressQuality(AudienceSettings(no_mx=REJECT), mx).flags("a@dead.example") == ()
    assert mx.asked == ["dead.example"]


def test_flags_are_kept_with_the_person() -> None:
    world = World()
    assert world.add("info@mailinator.com").quality == ("disposable", "role")
    world.import_csv("email\nsales@example.com\n")
    assert world.stored("sales@example.com").quality == ("role",)
    world.settings.save(world.ws, AudienceSettings(disposable=REJECT))
    with pytest.raises(InvalidInput, match="disposable"):
        world.add("ann@mailinator.com")
    job = world.import_csv("email\nann@mailinator.com\n")
    assert job.progress["rejected"] == 1
    world.settings.save(world.ws, AudienceSettings(role=ACCEPT, version=1))
    world.service.upsert(world.ws, SubscriberDraft("sales@example.com"))
    assert world.stored("sales@example.com").quality == ()


def test_checks_are_bounded() -> None:
    service = AddressService(FakeAudienceSettings(), FakeMx())
    assert len(service.check("ws_x", ["a@example.com"] * 100, ask_dns=False)) == 100
    for count, ask_dns in ((101, False), (11, True)):
        with pytest.raises(InvalidInput, match="more than"):
            service.check("ws_x", ["a@example.com"] * count, ask_dns=ask_dns)


def test_segments_can_ask_for_a_flag() -> None:
    world = World()
    rule = {"field": "quality", "op": "contains", "value": "role"}
    assert check_rule(rule) == []
    holds = any_of((rule,), world.clock.now())
    assert holds(world.add("info@example.com").to_item())
    assert not holds(world.add("ann@example.com").to_item())
