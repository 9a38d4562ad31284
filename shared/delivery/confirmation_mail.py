"""The mail that asks people to confirm a list: a transactional message of the workspace.

A list names its own template, or gets the shipped mail in the person's
language. A template finds `data.confirm_url`, `data.list` (its name) and
`data.language`.
"""

from __future__ import annotations

from html import escape

from shared.audience.model import DoubleOptIn, MailingList
from shared.audience.texts import DEFAULT, Languages, Texts
from shared.delivery.composing import MessageRequest
from shared.delivery.messages import MessageService
from shared.errors import FieldProblem, InvalidInput, WrongState
from shared.mail import Mailbox

TAG = "confirmation"
_SAMPLE_URL = "https://example.com/c/sample"


class ConfirmationMails:
    """`ConfirmationMailer`."""

    def __init__(self, messages: MessageService, languages: Languages) -> None:
        self._messages = messages
        self._languages = languages

    def check(self, workspace: str, opt_in: DoubleOptIn) -> None:
        """As the port says."""
        to = Mailbox(opt_in.sender.address)
        request = self._request(opt_in, to, "News", DEFAULT, _SAMPLE_URL)
        try:
            rendered = self._messages.preview(workspace, request)
        except InvalidInput as error:
            problems = [
                FieldProblem(f"double_opt_in.{p.field}", p.reason)
                for p in error.problems
                if not p.field.startswith("to.")
            ]
            raise InvalidInput(problems or error.problems) from error
        parts = [part for part in (rendered.html, rendered.text) if part is not None]
        if not all(_SAMPLE_URL in part for part in parts):
            reason = "must show {{ data.confirm_url }} in each of its parts"
            raise InvalidInput(FieldProblem("double_opt_in.template", reason))

    def send(
        self, mailing_list: MailingList, address: str, *, language: str, url: str, once: str
    ) -> None:
        """As the port says."""
        opt_in = mailing_list.double_opt_in
        if opt_in is None:
            raise WrongState(f"list {mailing_list.id} has no double opt-in")
        request = self._request(opt_in, Mailbox(address), mailing_list.name, language, url)
        try:
            self._messages.send(mailing_list.workspace, request, once=once)
        except InvalidInput as error:
            if all(p.field.startswith("to.") for p in error.problems):
                raise InvalidInput(
                    [FieldProblem("email", p.reason) for p in error.problems]
                ) from error
            raise WrongState(
                f"list {mailing_list.id} cannot ask anybody: {error}; correct its double_opt_in"
            ) from error

    def _request(
        self, opt_in: DoubleOptIn, to: Mailbox, list_name: str, language: str, url: str
    ) -> MessageRequest:
        data = {"confirm_url": url, "list": list_name, "language": language}
        if opt_in.template_id:
            return MessageRequest(
                to, opt_in.sender, template_id=opt_in.template_id, data=data, tags=(TAG,)
            )
        texts = self._languages[language]
        return MessageRequest(
            to,
            opt_in.sender,
            subject=_source(texts["mail.subject"]),
            html=_html(texts),
            text=_text(texts),
            data=data,
            tags=(TAG,),
        )


def _source(text: str) -> str:
    """A text of ours as a template's source: the list's name is data there, never source."""
    return text.replace("{list}", "{{ data.list }}")


def _html(texts: Texts) -> str:
    ask, button, ignore = (
        _source(escape(texts[f"mail.{key}"], quote=False)) for key in ("ask", "button", "ignore")
    )
    return (
        f'<!doctype html>\n<html lang="{texts.language}">\n<head><meta charset="utf-8"></head>\n'
        f'<body style="font: 16px/1.5 sans-serif">\n<p>{ask}</p>\n'
        f'<p><a href="{{{{ data.confirm_url }}}}">{button}</a></p>\n<p>{ignore}</p>\n'
        "</body>\n</html>\n"
    )


def _text(texts: Texts) -> str:
    ask, ignore = (_source(texts[f"mail.{key}"]) for key in ("ask", "ignore"))
    return f"{ask}\n\n{{{{ data.confirm_url }}}}\n\n{ignore}\n"
