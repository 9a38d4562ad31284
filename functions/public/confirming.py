"""`/c/{token}`: a GET asks whether she wants the list, a POST subscribes her."""

from __future__ import annotations

from http import HTTPStatus

from functions.public.exchange import Answer, Request
from functions.public.pages import Look
from functions.public.wiring import Public
from shared.audience.opt_in import Answer as Outcome
from shared.audience.opt_in import Confirmation


def serve(services: Public, request: Request) -> Answer:
    """Raises ForgedToken for a token that is none of ours."""
    ref, found = services.opt_in.look(request.token)
    look = services.look(request, ref.workspace, ref.subscriber)
    if not request.reads:
        circumstances = request.circumstances("confirmation", look.texts.version)
        ref, found = services.opt_in.confirm(request.token, circumstances=circumstances)
    status = HTTPStatus.GONE if found.answer in _OVER else HTTPStatus.OK
    outcome = f"confirmation_{found.answer}"
    return Answer(outcome, status, _page(look, found), look.settings.logo_origin, ref.workspace)


_OVER = {Outcome.EXPIRED, Outcome.GONE}


def _page(look: Look, found: Confirmation) -> str:
    if found.answer is Outcome.OPEN:
        return look.ask_confirmation(found.list_name)
    if found.answer is Outcome.CONFIRMED:
        return look.confirmed(found.list_name)
    if found.answer is Outcome.BLOCKED:
        return look.message("confirm.blocked", title="confirm.blocked_title", role="alert")
    if found.answer is Outcome.EXPIRED:
        return look.message("confirm.expired", title="confirm.expired_title")
    return look.message("unknown")
