"""Cells of CSV files that people open in a spreadsheet program."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

_STARTS = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001  # the full-width signs are meant
"""OWASP's "CSV injection": what makes a spreadsheet program take a cell for a formula."""


def neutral(text: str) -> str:
    """The text, with an apostrophe before it if it could be taken for a formula."""
    return f"'{text}" if text.startswith(_STARTS) else text


def csv_lines(rows: Iterable[Sequence[object]]) -> bytes:
    """Rows as CSV in UTF-8, with the line ends of RFC 4180."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
