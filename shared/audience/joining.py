"""Makes one large file out of many small ones, part by part, in constant memory.

A step may be done again: a part is written again under its number, and what it
holds depends on the cursor alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from shared.audience.ports import MIN_PART_BYTES, LargeFileStore


@dataclass(frozen=True, slots=True)
class Joined:
    """How far it has come: the cursor for the next step, and whether the file is there."""

    cursor: dict[str, Any]
    done: bool


def join_step(
    blobs: LargeFileStore,
    target: str,
    *,
    content_type: str,
    sources: Sequence[str],
    render: Callable[[int, bytes], bytes],
    cursor: dict[str, Any],
) -> Joined:
    """Writes the next part of `target`: what `render` makes of each source, by its number.

    The cursor of the first step is empty. A file that fits into one part is
    written at once.
    """
    position: int = cursor.get("source", 0)
    writing: str = cursor.get("writing", "")
    tags: list[str] = cursor.get("tags", [])
    if writing and position == len(sources):
        # In a step of its own: once finished, no part could be written again.
        blobs.finish(target, writing, tags)
        return Joined(cursor, done=True)
    part = bytearray()
    while position < len(sources) and len(part) < MIN_PART_BYTES:
        part += render(position, blobs.get(sources[position]))
        position += 1
    if position == len(sources) and not writing:
        blobs.put(target, bytes(part), content_type=content_type)
        return Joined({}, done=True)
    writing = writing or blobs.begin(target, content_type=content_type)
    tags = [*tags, blobs.put_part(target, writing, len(tags) + 1, bytes(part))]
    return Joined({"source": position, "writing": writing, "tags": tags}, done=False)
