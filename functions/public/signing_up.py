"""`/s/{token}`: a list's sign-up form. A POST asks the address by mail whether it wants the list.

The answer is the same for every good address, known or not.
"""

from __future__ import annotations

from http import HTTPStatus

from functions.public.exchange import Answer, Request
from functions.public.pages import TRAP, Look
from functions.public.wiring import Public
from shared.errors import InvalidInput

_MAX_EMAIL = 320


def serve(services: Public, request: Request) -> Answer:
    """Raises ForgedToken for a form that is none of ours, or is closed."""
    mailing_list = services.opt_in.form(request.token)
    look = services.look(request, mailing_list.workspace)
    name, description = mailing_list.name, mailing_list.description

    def answer(outcome: str, status: HTTPStatus, page: str) -> Answer:
        return Answer(outcome, status, page, look.settings.logo_origin, mailing_list.workspace)

    if request.reads:
        return answer("form_shown", HTTPStatus.OK, look.sign_up(name, description))
    if request.field(TRAP):
        return answer("form_trapped", HTTPStatus.OK, _done(look))
    if not services.sources.admits(request.client, request.peer):
        return answer("form_refused", HTTPStatus.TOO_MANY_REQUESTS, look.message("busy"))
    email = request.field("email")[:_MAX_EMAIL]
    try:
        services.opt_in.sign_up(
            mailing_list,
            email,
            language=look.texts.language,
            circumstances=request.circumstances("form", look.texts.version),
        )
    except InvalidInput:
        page = look.sign_up(name, description, email=email, error="form.invalid")
        return answer("form_invalid", HTTPStatus.UNPROCESSABLE_ENTITY, page)
    return answer("form_taken", HTTPStatus.OK, _done(look))


def _done(look: Look) -> str:
    return look.message("form.done", title="form.done_title", role="status")
