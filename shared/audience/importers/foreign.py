"""What the files of other products have in common: names and values that are not made for us."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

MAX_NAME = 64
_OTHER = re.compile(r"[^a-z0-9]+")


def attribute_name(text: str) -> str:
    """The nearest name that an attribute may have: `Größe (cm)` gives `grosse_cm`."""
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss").lower())
    name = _OTHER.sub("_", plain.encode("ascii", "ignore").decode()).strip("_")
    return name[:MAX_NAME] or "unnamed"


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Names and values; what is nested is named with `_` in between, what is null left out.

    A list of one text is that text, and what is in a list and no text becomes text.
    """
    for key, value in values.items():
        name = attribute_name(f"{prefix}{key}")
        if isinstance(value, Mapping):
            yield from flat(value, f"{name}_")
        elif isinstance(value, list):
            texts = [part if isinstance(part, str) else str(part) for part in value]
            if texts:
                yield name, texts[0] if len(texts) == 1 else texts
        elif value is not None and value != "":
            yield name, value
