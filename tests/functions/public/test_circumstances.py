"""What a record of consent needs to say reaches where consent is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared.audience.circumstances import Circumstances
from shared.audience.texts import read_languages
from tests.functions.public.world import World

ENGLISH = read_languages()["en"].version


def confirmed(world: World) -> None:
    world.post(world.form, {"email": "bob@example.com"}, lang="en")
    world.post(world.mailer.last.url.removeprefix("https://mail.example.com"))


ACTS: dict[str, tuple[Callable[[World], Any], list[Circumstances]]] = {
    "one click of a mail client": (
        lambda w: w.post(f"/u/{w.token()}", {"List-Unsubscribe": "One-Click"}),
        [Circumstances("link", "192.0.2.1", "Firefox", None, None)],
    ),
    "our own button": (
        lambda w: w.post(f"/u/{w.token()}", {"from": "list"}),
        [Circumstances("link", "192.0.2.1", "Firefox", ENGLISH, None)],
    ),
    "preferences": (
        lambda w: w.post(f"/p/{w.token()}", {"do": "save", "shown": w.news}),
        [Circumstances("preference_centre", "192.0.2.1", "Firefox", ENGLISH, None)],
    ),
    "form and confirmation": (
        confirmed,
        [
            Circumstances("form", "192.0.2.1", "Firefox", ENGLISH, None),
            Circumstances("confirmation", "192.0.2.1", "Firefox", ENGLISH, None),
        ],
    ),
}


@pytest.mark.parametrize("name", ACTS)
def test_circumstances_reach_the_consent_service(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World()
    seen: list[Circumstances] = []
    for method in ("ask", "opt_in", "unsubscribe"):
        real = getattr(world.services.consent, method)

        def spy(*arguments: Any, _real: Any = real, **named: Any) -> Any:
            seen.append(named["circumstances"])
            return _real(*arguments, **named)

        monkeypatch.setattr(world.services.consent, method, spy)
    act, expected = ACTS[name]
    act(world)
    assert seen == expected
