"""`/p/{token}`: the preference centre. A GET shows it, a POST saves.

The token cannot be guessed, and no cookie or login vouches for anybody, so
there is nothing that another site could make a browser do on her behalf
(cross-site request forgery).
"""

from __future__ import annotations

from http import HTTPStatus

from functions.public.exchange import Answer, Request
from functions.public.pages import EVERYTHING, SAVE
from functions.public.wiring import Public
from shared.audience.preferences import SOURCE, Choice
from shared.errors import ForgedToken, NotFound


def serve(services: Public, request: Request) -> Answer:
    """Raises ForgedToken for a token that is none of ours, or of somebody who is gone."""
    ref = services.tokens.parse(request.token)
    centre = services.preferences
    try:
        person = centre.person(ref.workspace, ref.subscriber)
        status, problem, outcome = "", "", "preferences_shown"
        pressed = "" if request.reads else request.field("do")
        if pressed in {SAVE, EVERYTHING}:
            look = services.look(request, ref.workspace, ref.subscriber)
            circumstances = request.circumstances(SOURCE, look.texts.version)
            if pressed == EVERYTHING:
                centre.leave(person, circumstances=circumstances)
                status, outcome = "preferences.left", "preferences_left"
            elif centre.save(person, _choice(request), circumstances=circumstances):
                status, outcome = "preferences.saved", "preferences_saved"
            else:
                problem, outcome = "preferences.blocked", "preferences_blocked"
            person = centre.person(ref.workspace, ref.subscriber)
    except NotFound as error:
        raise ForgedToken("the person of that link is gone") from error
    look = services.look(request, ref.workspace, ref.subscriber)
    page = look.preferences(centre.of(person), status=status, error=problem)
    origin = look.settings.logo_origin
    return Answer(outcome, HTTPStatus.OK, page, origin, ref.workspace, ref.campaign)


def _choice(request: Request) -> Choice:
    """A language that was only shown, not chosen, is not kept."""
    language = request.field("language")
    return Choice(
        shown=frozenset(request.form.get("shown", ())),
        wanted=frozenset(request.form.get("list", ())),
        language="" if language == request.field("language_was") else language,
    )
