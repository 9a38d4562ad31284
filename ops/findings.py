"""What checks find, and how an operator gets to see it.

A check looks at one thing and gives a line or more. A line says what was
found and, unless all is well, what to do. Lines are printed as they come, so
that a long look is never a silent one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from shared.errors import TidepostError

Say = Callable[[str], None]


class Verdict(StrEnum):
    """How serious a finding is. Only `fail` makes a command fail."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table; `todo` is what an operator should do about it."""

    verdict: Verdict
    detail: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at.

    `aws_only` is set where an emulator has nothing to look at; such a check is
    then skipped, and the table says so.
    """

    name: str
    look: Callable[[], Iterable[Finding]]
    aws_only: bool = False


def ok(detail: str, todo: str = "") -> Finding:
    """All is well; `todo` is for what comes later."""
    return Finding(Verdict.OK, detail, todo)


def warn(detail: str, todo: str) -> Finding:
    """It works, but not as well as it should, or not for long."""
    return Finding(Verdict.WARN, detail, todo)


def fail(detail: str, todo: str) -> Finding:
    """It does not work."""
    return Finding(Verdict.FAIL, detail, todo)


def skipped(detail: str) -> Finding:
    """It was not looked at."""
    return Finding(Verdict.SKIPPED, detail)


def none_wrong(subject: str, wrong: Sequence[str], todo: str) -> Finding:
    """`ok` with the subject, or `fail` with those things that are wrong."""
    if wrong:
        return fail("; ".join(wrong), todo)
    return ok(subject)


def perform(checks: Iterable[Check], say: Say, *, emulated: bool) -> list[Finding]:
    """Looks at everything, whatever the single checks find, and prints the table."""
    found: list[Finding] = []
    for check in checks:
        for finding in _look(check, emulated=emulated):
            say(_line(check.name, finding))
            found.append(finding)
    return found


def conclude(found: Sequence[Finding], say: Say) -> int:
    """Prints the sum; the command's exit status: 1 if anything failed."""
    counts = {verdict: sum(f.verdict is verdict for f in found) for verdict in Verdict}
    say("\n" + ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict))
    return 1 if counts[Verdict.FAIL] else 0


def _look(check: Check, *, emulated: bool) -> list[Finding]:
    if check.aws_only and emulated:
        return [skipped("skipped: not on this endpoint")]
    try:
        return list(check.look())
    except TidepostError as error:
        return [fail(str(error), "see what it says, then run this again")]


def _line(name: str, finding: Finding) -> str:
    line = f"{finding.verdict:<9}{name:<25}{finding.detail}"
    if finding.todo:
        line += f"\n{'':<9}{'':<25}-> {finding.todo}"
    return line
