"""What may go wrong around the local cloud, said so that somebody can act on it."""

from __future__ import annotations

from collections import deque
from pathlib import Path

from shared.errors import TidepostError

_TAIL = 25


class LocalCloudError(TidepostError):
    """The local cloud cannot go on. The message says what was wrong and what to do."""

    code = "local-cloud-error"


class Busy(LocalCloudError):
    """There was no answer, or none but a 5xx: the same may be asked again in a moment.

    Whether a request that changes something was taken is not known.
    """


def with_log(message: str, log: Path) -> LocalCloudError:
    """An error that shows the last lines of a log."""
    try:
        with log.open(encoding="utf-8", errors="replace") as lines:
            tail = "".join(deque(lines, _TAIL)).rstrip()
    except OSError:
        tail = "(there is no log)"
    return LocalCloudError(f"{message}\nThe end of {log}:\n{tail}")
