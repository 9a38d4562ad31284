"""`/u/{token}`: a GET asks, a POST unsubscribes.

The POST is what mail clients send for one-click unsubscribe (RFC 8058) and what
the page's own form sends. It needs no login and no cookie, never redirects, and
can be repeated. Its page's language and looks never keep it from being done.
"""

from __future__ import annotations

from http import HTTPStatus

from functions.public.exchange import Answer, Request
from functions.public.pages import EVERYTHING
from functions.public.wiring import Public


def serve(services: Public, request: Request) -> Answer:
    """Raises ForgedToken for a token that is none of ours."""
    ref = services.tokens.parse(request.token)
    look = services.look(request, ref.workspace, ref.subscriber)
    preferences = f"../p/{request.token}"
    if request.reads:
        outcome = "asked"
        page = look.ask_unsubscribe(preferences, one_list=ref.list_id is not None)
    else:
        # Any body but our form's, of a mail client or of nobody, means what the link
        # means: a wish to unsubscribe is never refused for its form.
        pressed = request.field("from")
        list_id = None if pressed == EVERYTHING else ref.list_id
        seen = look.texts.version if pressed else None
        services.consent.unsubscribe(
            ref.workspace,
            ref.subscriber,
            list_id,
            source="link",
            circumstances=request.circumstances("link", seen),
        )
        outcome = "unsubscribed"
        page = look.unsubscribed(preferences, one_list=list_id is not None)
    origin = look.settings.logo_origin
    return Answer(outcome, HTTPStatus.OK, page, origin, ref.workspace, ref.campaign)
