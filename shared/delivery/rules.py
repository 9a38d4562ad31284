"""delivery_rules.json: who may send what, and in which proportions. Pure.

The first rule that matches a recipient decides; the default takes the rest. A
rule names what it wants to know and leaves out the rest: whatever is left out
matches everybody.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from shared.errors import FieldProblem, InvalidInput
from shared.mail import MailboxGroup, MessageKind

DEFAULT_RULE = "default"

_Name = Annotated[str, Field(min_length=1, max_length=64)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Match(_Model):
    """Whom a rule is for. Every field that is given must hold; one of its values is enough."""

    groups: tuple[MailboxGroup, ...] | None = Field(
        default=None, description="Mailbox groups of the recipient"
    )
    bands: tuple[_Name, ...] | None = Field(
        default=None, description="Engagement bands of the recipient"
    )
    kinds: tuple[MessageKind, ...] | None = Field(default=None, description="Message kinds")
    lists: tuple[_Name, ...] | None = Field(
        default=None, description="Ids of mailing lists that the campaign goes to"
    )
    tags: tuple[_Name, ...] | None = Field(
        default=None, description="Tags of the campaign or message"
    )

    @field_validator("*")
    @classmethod
    def _not_empty(cls, values: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if values is not None and not values:
            raise ValueError("it is empty and would match nobody; leave it out to match everybody")
        return values


class Choice(_Model):
    """Which providers a rule leaves, and how they share the mail.

    With `weights`, only providers named there get mail; without, all of
    providers.json, by the weights there. With `order`, only those named, the
    first that can take a recipient gets it, and nothing is learned.
    """

    weights: dict[_Name, Annotated[float, Field(ge=0, le=1000)]] | None = Field(
        default=None, description="Share of the mail by provider, relative to one another"
    )
    order: tuple[_Name, ...] | None = Field(
        default=None, min_length=1, description="Providers, the preferred one first"
    )
    exclude: tuple[_Name, ...] = Field(default=(), description="Providers that get none of it")
    learn: bool = Field(
        default=True, description="Let what is delivered move the shares; false: weights as written"
    )

    @field_validator("weights")
    @classmethod
    def _some_weight(cls, weights: dict[str, float] | None) -> dict[str, float] | None:
        if weights is not None and not sum(weights.values()):
            raise ValueError("the weights sum to zero: nobody could be mailed; use exclude instead")
        return weights

    @model_validator(mode="after")
    def _one_way(self) -> Choice:
        if self.weights is not None and self.order is not None:
            raise ValueError("give weights or order, not both")
        if self.order is not None and len(set(self.order)) < len(self.order):
            raise ValueError("order names a provider twice")
        return self

    def providers(self, weights: Mapping[str, float]) -> dict[str, float]:
        """The providers this leaves, each with a weight above zero; in `order` if there is one.

        `weights` are those of providers.json. What comes out may be empty.
        """
        chosen: Mapping[str, float] = weights
        if self.order is not None:
            chosen = dict.fromkeys(self.order, 1.0)
        elif self.weights is not None:
            chosen = self.weights
        return {
            name: float(weight)
            for name, weight in chosen.items()
            if weight > 0 and name in weights and name not in self.exclude
        }


class Rule(Choice):
    """One rule."""

    name: _Name = Field(description="Stands in every routing decision; unique")
    match: Match = Field(default=Match(), description="Whom it is for; empty: everybody")


@dataclass(frozen=True, slots=True)
class Traits:
    """What a rule may ask of a campaign or message; the rest it asks of the recipient."""

    kind: MessageKind
    lists: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()


class DeliveryRules(_Model):
    """The whole file."""

    json_schema: str = Field(default="", alias="$schema", description="For editors")
    rules: tuple[Rule, ...] = Field(default=(), max_length=200)
    default: Choice = Choice()

    @model_validator(mode="after")
    def _unique(self) -> DeliveryRules:
        names = [DEFAULT_RULE, *(rule.name for rule in self.rules)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two rules are named {', '.join(twice)}; give each its own name")
        return self

    def first(self, group: str, band: str, traits: Traits) -> tuple[str, Choice]:
        """The rule for a recipient: its name and what it leaves."""
        for rule in self.rules:
            if _matches(rule.match, group, band, traits):
                return rule.name, rule
        return DEFAULT_RULE, self.default

    def in_use(self, weights: Mapping[str, float]) -> frozenset[str]:
        """The providers that any rule may choose; `weights` are those of providers.json."""
        return frozenset(
            name for choice in (*self.rules, self.default) for name in choice.providers(weights)
        )

    @classmethod
    def parse(cls, text: str, providers: Iterable[str]) -> DeliveryRules:
        """Reads delivery_rules.json; `providers` are the names in providers.json.

        Raises:
            InvalidInput: names each field that is wrong, such as `rules.0.weights.acme`.
        """
        try:
            rules = cls.model_validate_json(text)
        except ValidationError as error:
            raise InvalidInput(
                [
                    FieldProblem(
                        ".".join(map(str, problem["loc"])) or "the whole",
                        problem["msg"].removeprefix("Value error, "),
                    )
                    for problem in error.errors(include_input=False, include_url=False)
                ]
            ) from error
        problems = rules.unknown(frozenset(providers))
        if problems:
            raise InvalidInput(problems)
        return rules

    def unknown(self, providers: frozenset[str]) -> list[FieldProblem]:
        """Every field that names a provider which the deployment does not have."""
        known = ", ".join(sorted(providers))
        choices: list[tuple[str, Choice]] = [(f"rules.{i}", r) for i, r in enumerate(self.rules)]
        return [
            FieldProblem(f"{where}.{field}", f"there is no provider {name!r}; known are: {known}")
            for where, choice in [*choices, ("default", self.default)]
            for field, name in _named(choice)
            if name not in providers
        ]


def schema() -> str:
    """The JSON schema of the file, as it lies beside the shipped one."""
    body: dict[str, Any] = DeliveryRules.model_json_schema(by_alias=True)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(head | body, indent=2, sort_keys=True) + "\n"


def _matches(match: Match, group: str, band: str, traits: Traits) -> bool:
    return (
        (match.groups is None or group in match.groups)
        and (match.bands is None or band in match.bands)
        and (match.kinds is None or traits.kind in match.kinds)
        and (match.lists is None or not traits.lists.isdisjoint(match.lists))
        and (match.tags is None or not traits.tags.isdisjoint(match.tags))
    )


def _named(choice: Choice) -> list[tuple[str, str]]:
    """Every provider that a choice names, with its field."""
    return [
        *((f"weights.{name}", name) for name in choice.weights or ()),
        *((f"order.{place}", name) for place, name in enumerate(choice.order or ())),
        *((f"exclude.{place}", name) for place, name in enumerate(choice.exclude)),
    ]
