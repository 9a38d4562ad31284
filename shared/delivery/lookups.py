"""What transactional messages name: senders and templates, each looked up once a call."""

from __future__ import annotations

from typing import Any

from shared.content.compiled import CompiledTemplate, Rendered, check_parts, render_directly
from shared.content.model import Template, TemplateSource
from shared.content.ports import TemplateStore
from shared.delivery.composing import MessageRequest
from shared.delivery.ports import SenderCheck
from shared.errors import FieldProblem, InvalidInput, NotFound


class Lookups:
    """The look-ups of one call, whose messages often name the same things."""

    def __init__(self, templates: TemplateStore, sender_check: SenderCheck, workspace: str) -> None:
        self._templates = templates
        self._sender_check = sender_check
        self._workspace = workspace
        self._found: dict[str, Template] = {}
        self._senders: dict[str, InvalidInput | None] = {}

    def check_sender(self, address: str) -> None:
        """Raises InvalidInput unless the workspace may send from there."""
        if address not in self._senders:
            try:
                self._sender_check.check_sender(self._workspace, address)
                self._senders[address] = None
            except InvalidInput as error:
                self._senders[address] = error
        if problem := self._senders[address]:
            raise problem

    def content(self, request: MessageRequest) -> tuple[dict[str, Any], Rendered]:
        """What the plan says of the content, and the mail as it will be.

        Raises:
            InvalidInput: there is no such template, or it fails with this data.
        """
        context = {"data": dict(request.data)}
        if request.template_id:
            template = self._template(request.template_id)
            named = {"template_id": template.id, "template_version": template.version}
            return named, render_directly(template.source, context)
        source = TemplateSource(request.subject, request.html, request.text)
        check_parts(source)
        rendered = render_directly(source, context)
        CompiledTemplate(source)
        parts = {"subject": source.subject, "html": source.html, "text": source.text}
        return {"content": parts}, rendered

    def _template(self, template_id: str) -> Template:
        if template_id not in self._found:
            try:
                self._found[template_id] = self._templates.get(self._workspace, template_id)
            except NotFound as error:
                problem = FieldProblem("template", f"there is no template {template_id!r}")
                raise InvalidInput(problem) from error
        return self._found[template_id]
