"""A campaign's audience as the API has it."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from functions.api.schema import Answer, Body
from shared.audience.segments.model import Audience, Source, SourceKind

_EXAMPLE: JsonDict = {
    "include": [{"list": "lst_06f2m1v5q0g4k8s2c7d0"}, {"segment": "seg_06f2m1v5q0g4k8s2c7d0"}],
    "exclude": [{"snapshot": "snp_06f2m1v5q0g4k8s2c7d0"}],
}


class SourceBody(Body):
    """One list, one segment or one snapshot."""

    list: str | None = None
    segment: str | None = None
    snapshot: str | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self._named()) != 1:
            raise ValueError("name one list, segment or snapshot, and one alone")
        return self

    def source(self) -> Source:
        """As the domain has it."""
        ((kind, identifier),) = self._named()
        return Source(kind, identifier)

    def _named(self) -> tuple[tuple[SourceKind, str], ...]:
        return tuple(
            (kind, identifier)
            for kind in SourceKind
            if (identifier := getattr(self, kind.value)) is not None
        )


class AudienceBody(Body):
    """Whoever is in any of `include` and in none of `exclude`."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    include: Annotated[tuple[SourceBody, ...], Field(max_length=50)]
    exclude: Annotated[tuple[SourceBody, ...], Field(max_length=50)] = ()

    def audience(self) -> Audience:
        """As the domain has it."""
        return Audience(
            tuple(one.source() for one in self.include),
            tuple(one.source() for one in self.exclude),
        )


class AudienceAnswer(Answer):
    """Whoever is in any of `include` and in none of `exclude`; `{"list": "lst_..."}` and so on."""

    include: tuple[dict[str, str], ...]
    exclude: tuple[dict[str, str], ...]

    @classmethod
    def of(cls, audience: Audience) -> AudienceAnswer:
        """From the domain's value."""
        return cls.model_validate(audience.to_item())
