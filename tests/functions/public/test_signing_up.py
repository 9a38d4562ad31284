"""The sign-up form: it asks, bounds, and never tells who is known."""

from dataclasses import replace

import pytest

from shared.audience.asking import MAX_ATTEMPTS, MAX_MAILS, MAX_OF_PROXY
from shared.audience.model import ListState, SuppressionReason
from shared.audience.settings import AudienceSettings, QualityAction
from shared.errors import WrongState
from tests.functions.public.world import ADDRESS, Page, World

BOB = "bob@example.com"


def test_the_form_shows_list_field_and_trap() -> None:
    world = World()
    answer = world.open(world.form)
    assert answer["statusCode"] == 200
    page = Page(answer["body"])
    assert page.forms == [{"email": [""], "topic": [""]}]
    assert "Subscribe to “News & more”" in page.text
    assert "Weekly" in page.text
    assert world.mailer.sent == {}


def test_a_new_address_is_pending_and_is_asked() -> None:
    world = World()
    answer = world.post(world.form, {"email": " Bob@Example.com ", "topic": ""}, lang="de")
    assert answer["statusCode"] == 200
    assert "Wir haben Ihnen eine E-Mail geschickt" in Page(answer["body"]).roles["status"]
    bob = world.subscribers.people[world.ws, world.ids.of(world.ws, BOB)]
    assert bob.lists == {world.news: ListState.PENDING}
    assert bob.locale == "de"
    assert bob.id in world.memberships.lists[world.ws, world.news]
    (mail,) = world.mailer.sent.values()
    assert (mail.address, mail.list_id, mail.language) == (BOB, world.news, "de")
    assert mail.url.startswith("https://mail.example.com/c/k2.")


@pytest.mark.parametrize(
    "state", [None, ListState.PENDING, ListState.SUBSCRIBED, ListState.UNSUBSCRIBED]
)
@pytest.mark.parametrize("suppressed", [None, *SuppressionReason])
def test_the_answer_is_the_same_whoever_it_is(
    state: ListState | None, suppressed: SuppressionReason | None
) -> None:
    world = World()
    world.change(lists={world.news: state} if state else {}, locale="fr", suppressed=suppressed)
    before = world.stored
    known = world.post(world.form, {"email": ADDRESS})
    unknown = world.post(world.form, {"email": BOB})
    assert known == unknown
    assert len(world.mailer.sent) == 2
    if state:
        assert world.stored == before
    else:
        assert world.stored.lists == {world.news: ListState.PENDING}
    assert world.stored.locale == "fr"


def test_whose_address_is_going_gets_the_same_answer_and_no_mail() -> None:
    world = World()
    expected = world.post(world.form, {"email": BOB})
    world.change(deleted=True)
    assert world.post(world.form, {"email": ADDRESS}) == expected
    world.change(moved_to=world.ids.of(world.ws, BOB))
    assert world.post(world.form, {"email": ADDRESS}) == expected
    assert len(world.mailer.sent) == 1


@pytest.mark.parametrize("address", ["", "nobody", 'a"><script>@b', "a@b\r\nBcc: c@d.example"])
def test_what_is_no_address_is_said_and_shown_escaped(address: str) -> None:
    world = World()
    answer = world.post(world.form, {"email": address})
    assert answer["statusCode"] == 422
    page = Page(answer["body"])
    assert "cannot be used" in page.roles["alert"]
    assert page.forms[0]["email"] == [address]
    assert "script" not in page.tags
    assert world.mailer.sent == {}


@pytest.mark.parametrize("address", ["known@mailinator.com", "unknown@mailinator.com"])
def test_a_refused_domain_is_refused_whether_or_not_the_address_is_known(address: str) -> None:
    world = World()
    world.post(world.form, {"email": "known@mailinator.com"})
    world.settings.save(world.ws, AudienceSettings(disposable=QualityAction.REJECT))
    assert world.post(world.form, {"email": address})["statusCode"] == 422


def test_a_program_that_fills_in_the_trap_gets_the_same_answer_and_nothing_is_done() -> None:
    world = World()
    expected = world.post(world.form, {"email": BOB})
    assert world.post(world.form, {"email": "eve@example.com", "topic": "x"}) == expected
    assert len(world.mailer.sent) == 1
    assert len(world.subscribers.people) == 2


def test_asked_again_within_ten_minutes_it_is_the_same_mail() -> None:
    world = World()
    world.post(world.form, {"email": BOB})
    world.clock.advance(minutes=9)
    world.post(world.form, {"email": BOB}, lang="fr")
    assert len(world.mailer.sent) == 1
    world.clock.advance(minutes=2)
    world.post(world.form, {"email": BOB})
    assert len(world.mailer.sent) == 2


def test_a_person_gets_few_mails_a_day_whatever_is_asked() -> None:
    world = World()
    for _ in range(3 * MAX_MAILS):
        world.clock.advance(minutes=11)
        assert world.post(world.form, {"email": BOB})["statusCode"] == 200
    assert len(world.mailer.sent) == MAX_MAILS
    world.clock.advance(days=1)
    world.post(world.form, {"email": BOB})
    assert len(world.mailer.sent) == MAX_MAILS + 1


def test_a_mail_that_a_crash_kept_from_going_goes_when_asked_again() -> None:
    world = World()
    world.mailer.fails = WrongState("the sender domain is not verified any more")
    assert world.post(world.form, {"email": BOB})["statusCode"] == 503
    assert world.logged[0]["level"] == "ERROR"
    world.mailer.fails = None
    assert world.post(world.form, {"email": BOB})["statusCode"] == 200
    assert len(world.mailer.sent) == 1


def test_a_source_may_only_sign_up_so_many_in_a_minute() -> None:
    world = World()
    for number in range(MAX_ATTEMPTS):
        answer = world.post(world.form, {"email": f"a{number}@example.com"}, ip="2001:db8::1")
        assert answer["statusCode"] == 200
    for ip in ("2001:db8::1", "2001:db8:0:0:ffff::2"):
        answer = world.post(world.form, {"email": BOB}, ip=ip)
        assert (answer["statusCode"], answer["headers"]["retry-after"]) == (429, "60")
    assert world.post(world.form, {"email": BOB}, ip="2001:db8:0:1::1")["statusCode"] == 200
    world.clock.advance(minutes=1)
    assert world.post(world.form, {"email": BOB}, ip="2001:db8::1")["statusCode"] == 200
    assert not [key for key in world.attempts.counts if "2001" in str(key)]


def behind_cloudfront(*passed: str) -> dict[str, str]:
    return {"x-amz-cf-id": "x", "x-forwarded-for": ", ".join(passed)}


def test_behind_cloudfront_it_is_the_viewer_who_counts() -> None:
    world = World()
    for number in range(MAX_ATTEMPTS + 1):
        headers = behind_cloudfront(f"198.51.100.{number}", "203.0.113.9", "192.0.2.1")
        answer = world.post(world.form, {"email": BOB}, headers=headers)
    assert answer["statusCode"] == 429
    other = behind_cloudfront("203.0.113.10", "192.0.2.1")
    assert world.post(world.form, {"email": BOB}, headers=other)["statusCode"] == 200


def test_who_makes_up_viewers_is_bounded_too() -> None:
    world = World()
    for number in range(MAX_OF_PROXY + 1):
        headers = behind_cloudfront(f"10.0.{number // 200}.{number % 200}", "192.0.2.1")
        answer = world.post(world.form, {"email": BOB}, headers=headers)
    assert answer["statusCode"] == 429


def test_a_form_whose_list_is_gone_or_closed_is_unknown() -> None:
    world = World()
    form = world.form
    closed = replace(world.lists.get(world.ws, world.news), double_opt_in=None)
    world.lists.save(closed)
    assert world.open(form)["statusCode"] == 404
    assert world.post(form, {"email": BOB})["statusCode"] == 404
    world.lists.delete(world.ws, world.news)
    assert world.post(form, {"email": BOB})["statusCode"] == 404
    assert world.mailer.sent == {}
