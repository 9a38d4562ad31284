"""Item sizes and units by DynamoDB's documented rules."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.units import index_units, item_size, read_units, value_size, write_units


@pytest.mark.parametrize(
    ("value", "size"),
    [
        ({"S": "Zürich"}, 7),
        ({"N": "100"}, 2),
        ({"N": "-12345"}, 5),
        ({"B": "AAEC"}, 3),
        ({"B": b"\0\1\2"}, 3),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"L": [{"S": "ab"}, {"N": "1"}]}, 3 + 1 + 2 + 1 + 2),
        ({"M": {"key": {"S": "v"}}}, 3 + 1 + 3 + 1),
        ({"SS": ["ab", "c"]}, 3),
    ],
)
def test_a_values_size(value: dict[str, Any], size: int) -> None:
    assert value_size(value) == size


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(ValueError, match="no type 'X'"):
        value_size({"X": 1})


def item(size: int, **more: str) -> dict[str, Any]:
    made = {name: {"S": value} for name, value in more.items()}
    return made | {"x": {"S": "y" * (size - 1 - item_size(made))}}


def test_a_write_is_billed_by_the_larger_item_and_by_whole_units() -> None:
    assert write_units(None, item(1024)) == 1
    assert write_units(None, item(1025)) == 2
    assert write_units(item(3000), item(10)) == 3
    assert write_units(item(1500), None) == 2
    assert write_units(None, None) == 1


def test_a_sparse_index_costs_only_when_its_entry_changes() -> None:
    keys = ("active", "sk")
    active = {"pk": {"S": "p"}, "sk": {"S": "c"}, "active": {"S": "1"}}
    over = {"pk": {"S": "p"}, "sk": {"S": "c"}}
    assert index_units(None, active, keys) == 1
    assert index_units(active, active, keys) == 0
    assert index_units(active, over, keys) == 1
    assert index_units(over, over, keys) == 0
    assert index_units(active, {**active, "active": {"S": "2"}}, keys) == 2


def test_reads() -> None:
    assert read_units(4096, consistent=True) == 1
    assert read_units(4097, consistent=True) == 2
    assert read_units(4097, consistent=False) == 1
    assert read_units(0, consistent=True) == 1
