"""What a workspace has set for its audience: types of attributes, and which addresses it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from shared.audience.fields import is_attribute_name
from shared.audience.types import AttributeType
from shared.errors import FieldProblem, InvalidInput

MAX_DECLARED = 200


class QualityFlag(StrEnum):
    """What may be odd about an address; kept in `Subscriber.quality`."""

    DISPOSABLE = "disposable"
    """The domain gives out addresses for an hour."""
    ROLE = "role"
    """It belongs to a function and not to a person."""
    TYPO = "typo"
    """The domain is one slip away from a well-known one."""
    NO_MX = "no_mx"
    """The domain takes no mail."""


class QualityAction(StrEnum):
    """What is done with an address that has something odd about it."""

    ACCEPT = "accept"
    """It is taken and nothing is noted; a check that costs a lookup is not made."""
    FLAG = "flag"
    """It is taken, and the flag is kept with the person for segments to use."""
    REJECT = "reject"
    """It is refused."""


@dataclass(frozen=True, slots=True)
class AudienceSettings:
    """A workspace's settings, with the defaults for one that never set any.

    `disposable`, `role`, `typo` and `no_mx` say what is done with an address of
    that quality. `attributes` declares the type of attributes by name; what is
    stored already is not looked at again when a type changes.
    """

    disposable: QualityAction = QualityAction.FLAG
    role: QualityAction = QualityAction.FLAG
    typo: QualityAction = QualityAction.FLAG
    no_mx: QualityAction = QualityAction.ACCEPT
    attributes: Mapping[str, AttributeType] = field(default_factory=dict)
    version: int = 0


class AudienceSettingsStore(Protocol):
    """Keeps each workspace's settings."""

    def get(self, workspace: str) -> AudienceSettings:
        """A consistent read; the defaults with version 0 if there are none."""
        ...

    def save(self, workspace: str, settings: AudienceSettings) -> AudienceSettings:
        """Writes under its version (0: there is none yet). Raises StaleWrite."""
        ...


class AudienceSettingsService:
    """What the API does with them."""

    def __init__(self, store: AudienceSettingsStore) -> None:
        self._store = store

    def get(self, workspace: str) -> AudienceSettings:
        """The settings in force."""
        return self._store.get(workspace)

    def put(self, workspace: str, settings: AudienceSettings) -> AudienceSettings:
        """Replaces the settings, whatever their version was.

        Raises:
            InvalidInput: names each field at fault.
            StaleWrite: somebody else wrote them at the same moment.
        """
        problems = [
            FieldProblem(f"attributes.{name[:64]}", "must be named with 1 to 64 of a-z, 0-9 and _")
            for name in settings.attributes
            if not is_attribute_name(name)
        ]
        if len(settings.attributes) > MAX_DECLARED:
            problems.append(FieldProblem("attributes", f"are more than {MAX_DECLARED}"))
        if problems:
            raise InvalidInput(problems)
        present = self._store.get(workspace)
        return self._store.save(workspace, replace(settings, version=present.version))
