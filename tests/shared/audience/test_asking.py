"""What bounds confirmation mails, and races over them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.audience.asking import Asked, Mail
from shared.audience.writes import ATTEMPTS
from shared.errors import StaleWrite
from tests.fakes import FakeAsked
from tests.functions.public.world import ADDRESS, World


class Racing(FakeAsked):
    """Before each of the first `times` saves, another call books a mail for `list_id`."""

    def __init__(self, list_id: str, times: int) -> None:
        super().__init__()
        self.list_id, self.times = list_id, times

    def save(self, asked: Asked) -> Asked:
        if self.times:
            self.times -= 1
            now = asked.mails[-1].at - timedelta(minutes=30)
            stored = self.get(asked.workspace, asked.subscriber)
            super().save(stored.with_mail(Mail(self.list_id, now, "en")) or stored)
        return super().save(asked)


def test_of_two_calls_at_the_same_moment_one_books_and_both_send_that_one() -> None:
    world = World()
    world.services = world.over(Racing(world.deals, 1))
    assert world.post(world.form, {"email": ADDRESS})["statusCode"] == 200
    assert len(world.mailer.sent) == 1


def test_who_is_always_overtaken_is_told_to_try_again() -> None:
    world = World()
    racing = Racing(world.deals, ATTEMPTS)
    racing.save = _always_stale  # type: ignore[method-assign]  # as if many were writing
    world.services = world.over(racing)
    assert world.post(world.form, {"email": ADDRESS})["statusCode"] == 503
    assert world.mailer.sent == {}


def _always_stale(asked: Asked) -> Asked:
    raise StaleWrite(f"{asked.subscriber} was asked by somebody else")


@pytest.mark.parametrize("minutes", [0, 9])
def test_a_mail_of_a_moment_ago_stands_for_one_of_the_same_list_alone(minutes: int) -> None:
    world = World()
    now = world.clock.now()
    asked = Asked("ws", "sub", (Mail("a", now - timedelta(minutes=minutes), "en"),))
    assert asked.recent("a", now) == asked.mails[0]
    assert asked.recent("b", now) is None
    assert asked.recent("a", now + timedelta(minutes=10)) is None
