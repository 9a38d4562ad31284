"""The made-up CSV, held against the very import it is made for."""

import pytest

from local.demo.people import FATES, Fate, Kind, make_audience
from shared.audience.addresses import normalise
from shared.audience.importers.plain import Plain
from shared.audience.model import RowRejection
from shared.audience.records import Position, read_records
from shared.audience.rows import FileFormat, Row
from shared.errors import InvalidInput


def fates(content: bytes) -> dict[Fate, int]:
    counts = dict.fromkeys(Fate, 0)
    known: set[str] = set()
    plain = Plain(FileFormat.CSV, {})

    def read(offset: int, length: int) -> bytes:
        return content[offset : offset + length]

    for record in read_records(read, FileFormat.CSV, Position(), plain.columns):
        found = record.content
        row = found if isinstance(found, RowRejection) else plain.row(record.number, found)
        counts[fate(row, known)] += 1
    return counts


def fate(row: Row | RowRejection, known: set[str]) -> Fate:
    if isinstance(row, RowRejection):
        return Fate.REJECTED
    try:
        address = normalise(str(row.email))
    except InvalidInput:
        return Fate.REJECTED
    if address in known:
        return Fate.DUPLICATE
    known.add(address)
    return Fate.CREATED


@pytest.mark.parametrize("rows", [1, 600, 10_000])
def test_an_import_makes_of_it_what_the_demo_expects(rows: int) -> None:
    audience = make_audience(rows)
    assert audience.rows == rows
    assert fates(audience.content) == {fate: audience.expected(fate) for fate in Fate}


def test_ten_thousand_rows_have_every_kind() -> None:
    audience = make_audience(10_000)
    assert all(audience.kinds[kind] > 0 for kind in Kind)
    assert set(FATES) == set(Kind)


def test_the_same_seed_gives_the_same_file() -> None:
    assert make_audience(100, 1) == make_audience(100, 1)
    assert make_audience(100, 1) != make_audience(100, 2)
