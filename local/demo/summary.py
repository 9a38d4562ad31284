"""The demo's last words: tables, and the file for those who automate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from local.demo.people import FATES as ROW_FATES
from local.demo.people import Audience
from local.demo.watching import EVENTS, FATES, Snapshot


@dataclass(frozen=True, slots=True)
class Result:
    """A finished demo. Times are seconds from the launch."""

    snapshot: Snapshot
    accounted_s: float
    settled_s: float
    left: Sequence[str]

    def document(self) -> dict[str, Any]:
        """The content of demo.json."""
        report, stats = self.snapshot.report, self.snapshot.stats
        return {
            **{name: report[name] for name in ("recipients", *FATES, *EVENTS)},
            "one_click_unsubscribed": len(self.left),
            "by_provider": report["by_provider"],
            "by_mailbox_group": report["by_mailbox_group"],
            "sandbox_accepted": stats["accepted_total"],
            "sandbox_duplicates": stats["duplicates"],
            "accounted_s": round(self.accounted_s, 1),
            "settled_s": round(self.settled_s, 1),
            "messages_per_second": round(report["accepted"] / self.accounted_s, 1),
        }


def print_import(console: Console, audience: Audience, rows: Mapping[str, Any]) -> None:
    """What became of each kind of row."""
    table = Table(title="The import", title_justify="left")
    for heading in ("rows", "kind", "expected to be"):
        table.add_column(heading, justify="right" if heading == "rows" else "left")
    for kind, count in audience.kinds.items():
        table.add_row(str(count), kind.value, ROW_FATES[kind].value)
    console.print(table)
    words = ("rows", "created", "updated", "unchanged", "duplicates", "rejected")
    console.print("  " + ", ".join(f"{word} {rows[word]}" for word in words), soft_wrap=True)
    for reason, count in sorted(rows["reasons"].items()):
        console.print(f"  {count:6} rejected: {reason}", soft_wrap=True)


def print_result(console: Console, result: Result) -> None:
    """Who got the mail and what they did."""
    report = result.snapshot.report
    sums = " + ".join(f"{report[fate]} {fate.replace('_', ' ')}" for fate in FATES)
    console.print(f"\n{report['recipients']} recipients = {sums}", soft_wrap=True)
    for title, part in (("provider", "by_provider"), ("mailbox group", "by_mailbox_group")):
        _breakdown(console, title, report[part], FATES)
        _breakdown(console, title, report[part], EVENTS)
    figures = ", ".join(f"{report[event]} {event}" for event in EVENTS)
    console.print(f"{figures}, {len(result.left)} more unsubscribed by one click", soft_wrap=True)
    reasons = ", ".join(f"{count} {reason}" for reason, count in report["reasons"].items())
    if reasons:
        console.print(f"Reasons: {reasons}", soft_wrap=True)
    document = result.document()
    console.print(
        f"All accounted for after {document['accounted_s']} s "
        f"({document['messages_per_second']} messages per second), "
        f"all events counted after {document['settled_s']} s",
        soft_wrap=True,
    )


# 80 columns hold them.
_HEADINGS = {"in_doubt": "in doubt", "complained": "spam", "unsubscribed": "left"}


def _breakdown(
    console: Console,
    title: str,
    parts: Mapping[str, Mapping[str, int]],
    columns: Sequence[str],
) -> None:
    table = Table()
    table.add_column(title, min_width=13)
    for column in columns:
        table.add_column(_HEADINGS.get(column, column), justify="right")
    for name, words in sorted(parts.items()):
        table.add_row(name, *(str(words.get(column, 0)) for column in columns))
    console.print(table)
