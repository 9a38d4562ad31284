"""What a person's optional fields may hold: attributes, tags, locale, time zone.

One wrong value makes the whole person wrong: it is refused with the field and
the reason, never dropped or repaired by guess, so that what is stored is what
the caller meant. Only writing that has one plain meaning is unified (`de_de`
is `de-DE`).
"""

from __future__ import annotations

import math
import re
import zoneinfo
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache

from shared.audience.model import Attribute
from shared.audience.types import NO_TYPES, AttributeType, type_problem
from shared.errors import FieldProblem, InvalidInput

MAX_ATTRIBUTES = 100
MAX_TEXT = 1000
"""Characters of one attribute's text, or of one text in a list."""
MAX_LIST = 100
MAX_TAGS = 100
MAX_TAG = 100
MAX_BYTES = 100_000
"""UTF-8 bytes of all attributes and tags of a person; an item of DynamoDB ends at 400 KB."""
MAX_INTEGER = 2**53
"""Beyond it, JSON readers that use doubles would round (RFC 8259, section 6)."""


@dataclass(frozen=True, slots=True)
class Fields:
    """Validated optional fields. Blank means that nothing was said."""

    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    locale: str = ""
    time_zone: str = ""


def read_fields(
    attributes: object = None,
    tags: object = None,
    locale: object = None,
    time_zone: object = None,
    *,
    types: Mapping[str, AttributeType] = NO_TYPES,
) -> Fields:
    """Validates plain JSON values; None means that nothing was said.

    `types` are the attributes that the workspace has declared; one that is not
    among them may be of any type.

    Raises:
        InvalidInput: names every field that is wrong.
    """
    problems: list[FieldProblem] = []
    fields = Fields(
        attributes=_attributes({} if attributes is None else attributes, types, problems),
        tags=_tags(() if tags is None else tags, problems),
        locale=_locale("" if locale is None else locale, problems),
        time_zone=_time_zone("" if time_zone is None else time_zone, problems),
    )
    problems += size_problems(fields.attributes, fields.tags)
    if problems:
        raise InvalidInput(problems)
    return fields


def size_problems(
    attributes: Mapping[str, Attribute], tags: tuple[str, ...]
) -> Iterable[FieldProblem]:
    """Limits on the whole, which adding to a person's fields may break too."""
    if len(attributes) > MAX_ATTRIBUTES:
        yield FieldProblem("attributes", f"are more than {MAX_ATTRIBUTES}")
    if len(tags) > MAX_TAGS:
        yield FieldProblem("tags", f"are more than {MAX_TAGS}")
    size = sum(len(tag.encode()) for tag in tags)
    size += sum(len(name) + _size(value) for name, value in attributes.items())
    if size > MAX_BYTES:
        yield FieldProblem("attributes", f"and tags together are more than {MAX_BYTES} bytes")


def is_attribute_name(name: str) -> bool:
    """Whether an attribute may have this name."""
    return _NAME.fullmatch(name) is not None


def _attributes(
    value: object, types: Mapping[str, AttributeType], problems: list[FieldProblem]
) -> dict[str, Attribute]:
    if not isinstance(value, Mapping):
        problems.append(FieldProblem("attributes", "must be an object"))
        return {}
    good: dict[str, Attribute] = {}
    for name, content in value.items():
        if not isinstance(name, str) or not is_attribute_name(name):
            problems.append(FieldProblem("attributes", _BAD_NAME))
            continue
        reason = _attribute_problem(content) or type_problem(content, types.get(name))
        if reason:
            problems.append(FieldProblem(f"attributes.{name}", reason))
        else:
            good[name] = content
    return good


def _attribute_problem(value: object) -> str:
    if isinstance(value, int | float):
        return _number_problem(value)
    if isinstance(value, str):
        return _text_problem(value, MAX_TEXT)
    if not isinstance(value, list):
        return "must be a text, a number, true or false, or a list of texts"
    if len(value) > MAX_LIST:
        return f"is a list of more than {MAX_LIST}"
    if not all(isinstance(part, str) for part in value):
        return "is a list of something else than texts"
    return next(filter(None, (_text_problem(part, MAX_TEXT) for part in value)), "")


def _number_problem(value: float) -> str:
    if isinstance(value, int):
        return "is a whole number beyond 2^53" if abs(value) > MAX_INTEGER else ""
    return "" if math.isfinite(value) else "is not a finite number"


def _tags(value: object, problems: list[FieldProblem]) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(tag, str) for tag in value):
        problems.append(FieldProblem("tags", "must be a list of texts"))
        return ()
    tags = tuple(dict.fromkeys(tag.strip() for tag in value))
    if all(tag and tag.isprintable() and len(tag) <= MAX_TAG for tag in tags):
        return tags
    reason = f"must each have 1 to {MAX_TAG} characters, none of them a control character"
    problems.append(FieldProblem("tags", reason))
    return ()


def _text_problem(text: str, limit: int) -> str:
    if len(text) > limit:
        return f"is longer than {limit} characters"
    if not text.isprintable() and _NO_TEXT.search(text):
        return "has a control character (only tabs and line breaks may be) or half of a character"
    return ""


def _locale(value: object, problems: list[FieldProblem]) -> str:
    text = value.strip().replace("_", "-") if isinstance(value, str) else None
    if text == "":
        return ""
    if text is None or not _LOCALE.fullmatch(text):
        problems.append(FieldProblem("locale", "must be a language tag such as de or pt-BR"))
        return ""
    language, *rest = text.split("-")
    return "-".join([language.lower(), *map(_subtag, rest)])


def _subtag(text: str) -> str:
    """Case as RFC 5646, section 2.1.1 recommends: script `Hant`, region `BR`, all else lower."""
    if len(text) == _SCRIPT and text.isalpha():
        return text.title()
    return text.upper() if len(text) == _REGION else text.lower()


def _time_zone(value: object, problems: list[FieldProblem]) -> str:
    text = value.strip() if isinstance(value, str) else None
    if text == "":
        return ""
    if text is None or not _ZONE.fullmatch(text) or (_zones() and text not in _zones()):
        reason = "must be an IANA time zone such as Europe/Berlin"
        problems.append(FieldProblem("time_zone", reason))
        return ""
    return text


def known_locale(text: str) -> str:
    """The locale in its one form; empty if the text is none."""
    return _locale(text, [])


def known_time_zone(text: str) -> str:
    """The zone of that name in whatever case, `America/New_york` too; empty if there is none."""
    return _zones_by_name().get(text.strip().lower(), "")


@cache
def _zones_by_name() -> Mapping[str, str]:
    return {zone.lower(): zone for zone in _zones()}


@cache
def _zones() -> frozenset[str]:
    """The zones this machine knows; a machine without the database checks the form alone."""
    return frozenset(zoneinfo.available_timezones())


def _size(value: Attribute) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, list):
        return sum(len(part.encode()) for part in value)
    return len(str(value))


_NAME = re.compile(r"[a-z0-9_]{1,64}")
_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, which also give away text in Windows-1252, and surrogates."""
_BAD_NAME = "have a name that is not 1 to 64 of a-z, 0-9 and _"
_LOCALE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}")
_SCRIPT, _REGION = 4, 2
_ZONE = re.compile(r"[A-Za-z0-9+_-]+(/[A-Za-z0-9+_-]+){0,2}")
