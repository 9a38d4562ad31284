"""The types of custom attributes that a workspace may declare."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from types import MappingProxyType

import orjson

from shared.clock import from_iso


class AttributeType(StrEnum):
    """What an attribute holds. An attribute that is not declared may hold any of them."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    """RFC 3339: `2026-11-24`, or `2026-11-24T08:15:00Z` with any offset."""
    LIST = "list"
    """Of texts."""


NO_TYPES: Mapping[str, AttributeType] = MappingProxyType({})


def type_problem(value: object, declared: AttributeType | None) -> str:
    """What is wrong with the type of an otherwise valid value; empty if nothing."""
    if declared is None or _fits(value, declared):
        return ""
    return _MUST_BE[declared]


def from_text(text: str, declared: AttributeType | None) -> object:
    """A cell of a file as its declared type; the text itself where it cannot be read so."""
    if declared is AttributeType.NUMBER and _NUMBER.fullmatch(text):
        return float(text) if set(text) & set(".eE") else int(text)
    if declared is AttributeType.BOOLEAN:
        return _TRUTH.get(text.lower(), text)
    if declared is AttributeType.LIST:
        return _list_of(text)
    return text


def _list_of(text: str) -> object:
    """A JSON array, or parts between semicolons."""
    if text.startswith("["):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
    return [part for part in map(str.strip, text.split(";")) if part]


def _fits(value: object, declared: AttributeType) -> bool:
    if isinstance(value, bool):
        return declared is AttributeType.BOOLEAN
    if isinstance(value, int | float):
        return declared is AttributeType.NUMBER
    if isinstance(value, list):
        return declared is AttributeType.LIST
    if declared is AttributeType.DATE:
        return isinstance(value, str) and _is_date(value)
    return declared is AttributeType.TEXT


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        from_iso(text) if "T" in text.upper() else date.fromisoformat(text)
    except ValueError:
        return False
    return True


_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_DATE = re.compile(
    r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2}))?",
    re.ASCII | re.IGNORECASE,
)
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_MUST_BE = {
    AttributeType.TEXT: "must be a text, as the workspace declares it",
    AttributeType.NUMBER: "must be a number, as the workspace declares it",
    AttributeType.BOOLEAN: "must be true or false, as the workspace declares it",
    AttributeType.DATE: "must be a date such as 2026-11-24 or 2026-11-24T08:15:00Z",
    AttributeType.LIST: "must be a list of texts, as the workspace declares it",
}
