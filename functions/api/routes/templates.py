"""Templates and their versions."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from functions.api.endpoints import Endpoints
from functions.api.schema import Answer, Body, Cursor, Instant, Limit, Name, PageAnswer
from functions.api.visit import CurrentCall
from shared.access.model import AuditAction, Scope
from shared.content.model import Template, TemplateSource

templates = Endpoints("templates", "/v1/templates")

_EXAMPLE: JsonDict = {
    "name": "Welcome",
    "subject": "Welcome, {{ attributes.first_name | default('friend') }}",
    "html": "<p>Hello {{ attributes.first_name }}</p>",
    "text": "Hello {{ attributes.first_name }}",
}


class TemplateBody(Body):
    """A template to be made, or its next version."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Name
    subject: str = Field(description="Jinja syntax; one line when rendered")
    html: str = Field(default="", description="Jinja syntax; values are escaped")
    text: str = Field(default="", description="Jinja syntax")

    def source(self) -> TemplateSource:
        """As the domain has it."""
        return TemplateSource(subject=self.subject, html=self.html, text=self.text)


class TemplateAnswer(Answer):
    """One version of a template."""

    id: str
    name: str
    version: int
    subject: str
    html: str
    text: str
    created_at: Instant = Field(description="When this version was written")

    @classmethod
    def of(cls, template: Template) -> TemplateAnswer:
        """From the domain's value."""
        return cls(
            id=template.id,
            name=template.name,
            version=template.version,
            subject=template.source.subject,
            html=template.source.html,
            text=template.source.text,
            created_at=template.created_at,
        )


class TemplatePage(PageAnswer[TemplateAnswer]):
    """A page of templates."""


class PreviewBody(Body):
    """What to render with."""

    data: dict[str, Any] = Field(
        default_factory=dict,
        description="Laid over sample values; names are those that templates use",
        examples=[{"attributes": {"first_name": "Ada"}}],
    )


class PreviewAnswer(Answer):
    """The parts as a recipient would get them; null is a part that the template lacks."""

    subject: str
    html: str | None
    text: str | None


@templates.post("", scope=Scope.CAMPAIGNS_WRITE, status=HTTPStatus.CREATED)
def create_template(body: TemplateBody, call: CurrentCall) -> TemplateAnswer:
    """Create a template.

    It is compiled and rendered with sample values first, so one that does not compile or loops for
    ever is refused with the part and the line.
    """
    created = call.services.templates.create(call.workspace, body.name, body.source())
    call.record(AuditAction.TEMPLATE_CREATE, created.id)
    return TemplateAnswer.of(created)


@templates.get("", scope=Scope.CAMPAIGNS_READ)
def list_templates(call: CurrentCall, limit: Limit = 50, cursor: Cursor = None) -> TemplatePage:
    """List the templates in their newest version, oldest first."""
    page = call.services.templates.page(call.workspace, limit=limit, cursor=cursor)
    return TemplatePage(items=[TemplateAnswer.of(item) for item in page.items], cursor=page.cursor)


@templates.get("/<template_id>", scope=Scope.CAMPAIGNS_READ)
def get_template(
    template_id: str,
    call: CurrentCall,
    version: Annotated[int | None, Query(ge=1, description="The newest if left out")] = None,
) -> TemplateAnswer:
    """Get a template, the newest version or a given one."""
    return TemplateAnswer.of(call.services.templates.get(call.workspace, template_id, version))


@templates.put("/<template_id>", scope=Scope.CAMPAIGNS_WRITE)
def revise_template(template_id: str, body: TemplateBody, call: CurrentCall) -> TemplateAnswer:
    """Add a version to a template.

    Campaigns that were launched keep the version they were launched with.
    """
    revised = call.services.templates.revise(call.workspace, template_id, body.name, body.source())
    call.record(AuditAction.TEMPLATE_REVISE, template_id, version=revised.version)
    return TemplateAnswer.of(revised)


@templates.delete("/<template_id>", scope=Scope.CAMPAIGNS_WRITE)
def delete_template(template_id: str, call: CurrentCall) -> None:
    """Delete a template.

    Campaigns that were launched with it go on.
    """
    call.services.templates.delete(call.workspace, template_id)
    call.record(AuditAction.TEMPLATE_DELETE, template_id)


@templates.post("/<template_id>/preview", scope=Scope.CAMPAIGNS_READ, once=False)
def preview_template(template_id: str, body: PreviewBody, call: CurrentCall) -> PreviewAnswer:
    """Render a template's newest version with values of your own; nothing is sent."""
    parts = call.services.templates.preview(call.workspace, template_id, body.data)
    return PreviewAnswer.model_validate(parts)
