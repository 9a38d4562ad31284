import contextlib
import csv
import gc
import io
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audience import records as module
from shared.audience.importers.plain import Plain
from shared.audience.model import RowRejection
from shared.audience.records import Position, Record, read_records
from shared.audience.rows import FileFormat, Row
from shared.errors import InvalidInput
from tests.shared.audience.world import World

CSV, JSON, NDJSON = FileFormat.CSV, FileFormat.JSON, FileFormat.NDJSON


def records(body: bytes, file_format: FileFormat, position: Position) -> Iterator[Record]:
    def read(offset: int, length: int) -> bytes:
        return body[offset : offset + length]

    return read_records(read, file_format, position, Plain(file_format, {}).columns)


def read_rows(body: bytes, file_format: FileFormat) -> Iterator[Row | RowRejection]:
    importer = Plain(file_format, {})
    for record in records(body, file_format, Position()):
        if isinstance(record.content, RowRejection):
            yield record.content
        else:
            yield importer.row(record.number, record.content)


def started(body: str | bytes, content_type: str) -> str:
    """Why an import of the file cannot be started."""
    with pytest.raises(InvalidInput) as refused:
        World().upload(body, content_type=content_type)
    assert {problem.field for problem in refused.value.problems} == {"body"}
    return str(refused.value)


def refusal(body: bytes | str, file_format: FileFormat = CSV) -> str:
    with pytest.raises(InvalidInput) as refused:
        list(read_rows(body.encode() if isinstance(body, str) else body, file_format))
    assert {problem.field for problem in refused.value.problems} == {"body"}
    return str(refused.value)


def test_a_csv_as_spreadsheets_write_it() -> None:
    body = (
        "\ufeffE-Mail,Email ,First Name,tags,locale,Time-Zone\r\n"
        'x, Ann@Example.com ,"Ann, ""A""\r\nSmith",vip; new;,de,Europe/Berlin\r\n'
        "\r\n"
        ",bob@example.com,,,,\r\n"
        "y,short@example.com\r\n"
        "1,2,3,4,5,6,7\r\n"
    )
    assert list(read_rows(body.encode(), CSV)) == [
        Row(
            2,
            "Ann@Example.com",
            {"e_mail": "x", "first_name": 'Ann, "A"\r\nSmith'},
            ["vip", "new"],
            "de",
            "Europe/Berlin",
        ),
        Row(4, "bob@example.com", {}),
        Row(5, "short@example.com", {"e_mail": "y"}),
        RowRejection(6, "row", "has more fields than the header has columns"),
    ]


def test_a_row_without_an_address_is_left_to_the_check() -> None:
    assert list(read_rows(b"name,email\nAnn,\n", CSV)) == [Row(2, "", {"name": "Ann"})]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"email\nann@example.com\n\xe9t\xe9@example.com\n", "byte 22"),
        (b"\xef\xbb\xbfemail\n\xff", "byte 9"),
        ("email\nann@example.com\n".encode("utf-16"), "UTF-16"),
        (b"ann@example.com,Ann\nbob@example.com,Bob\n", "first row must be a header"),
        (b"name,mail\nAnn,ann@example.com\n", "no column named email"),
        (b"name;email\nAnn;ann@example.com\n", "separate the columns by commas"),
        (b"email,na\xc3\xafve\na@example.com,1\n", "column 2"),
        (b"email,,b\na@example.com,1,2\n", "column 2"),
        (b"email,Name,name\na@example.com,1,2\n", "column 3 is named as one before"),
        (b'email,name\na@example.com,"x\nb@example.com,y\n', "row 2 is not valid CSV"),
        (b'email,name\na@example.com,x\nb@example.com,"y"z\n', "row 3 is not valid CSV"),
        (b"email,name\na@example.com," + b"x" * 10_241, "row 2 has a field of over 10240"),
        (b"email,name\na@example.com," + b"x" * 3_000_000, "has a row of over 2097152 bytes"),
        (b'email\n"' + b"x\n" * 2_000_000, "has a row of over 2097152 bytes from byte 6"),
    ],
)
def test_a_csv_that_cannot_be_read_is_refused_with_the_place(body: bytes, reason: str) -> None:
    assert reason in refusal(body)


@pytest.mark.parametrize(
    ("body", "reason"),
    [("", "is empty"), (" \r\n", "is empty"), ("email\n", "no subscribers")],
)
def test_a_file_of_nobody_is_refused(body: str, reason: str) -> None:
    assert reason in started(body, "text/csv")


def test_json_objects() -> None:
    people = [
        {"email": "ann@example.com", "attributes": {"age": 4}, "tags": ["x"], "locale": "de"},
        {"email": "bob@example.com", "time_zone": "UTC"},
        {"attributes": {}},
        ["ann@example.com"],
        {"email": "ann@example.com", "name": "Ann"},
    ]
    rows = [
        Row(1, "ann@example.com", {"age": 4}, ["x"], "de"),
        Row(2, "bob@example.com", time_zone="UTC"),
        Row(3, None, {}),
        RowRejection(4, "row", "is not an object"),
        RowRejection(5, "row", "has an unknown field; what is one's own belongs in attributes"),
    ]
    lines = "\n".join(map(json.dumps, people))
    assert list(read_rows(lines.encode(), NDJSON)) == rows


@pytest.mark.parametrize("shape", ["%s", '{"subscribers": %s}', "\ufeff%s"])
def test_an_array_becomes_json_lines(shape: str) -> None:
    world = World()
    people = [{"email": "ann@example.com", "tags": ["x"]}, {"email": "bob@example.com"}]
    world.run_import(world.upload(shape % json.dumps(people), content_type="application/json"))
    assert world.stored("ann@example.com").tags == ("x",)
    assert world.stored("bob@example.com").tags == ()


def test_json_lines() -> None:
    body = '{"email": "ann@example.com"}\r\n\n{"email": \n3\n{"email": "b\u2028b@example.com"}'
    assert list(read_rows(body.encode(), NDJSON)) == [
        Row(1, "ann@example.com"),
        RowRejection(3, "row", "is not valid JSON"),
        RowRejection(4, "row", "is not an object"),
        Row(5, "b\u2028b@example.com"),
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('[{"email": "a"},]', "not valid JSON (line 1, column 16)"),
        ("[" * 100_000, "not valid JSON"),
        ("[NaN]", "not valid JSON"),
        ('{"people": []}', "array of objects"),
        ("3", "array of objects"),
        ("[]", "no subscribers"),
    ],
)
def test_json_that_cannot_be_read(body: str, reason: str) -> None:
    assert reason in started(body, "application/json")


@pytest.mark.parametrize(
    ("header", "file_format"),
    [
        ("text/csv", CSV),
        ('Text/CSV; header=present; charset="UTF-8"', CSV),
        ("application/json", JSON),
        ("application/x-ndjson;charset=utf8", NDJSON),
    ],
)
def test_content_types(header: str, file_format: FileFormat) -> None:
    assert FileFormat.of(header) is file_format


@pytest.mark.parametrize("header", ["", "text/plain", "text/csv; charset=iso-8859-1", ";;"])
def test_other_content_types_are_refused(header: str) -> None:
    with pytest.raises(InvalidInput, match="content-type"):
        FileFormat.of(header)


@given(st.binary(max_size=200), st.sampled_from([CSV, NDJSON]))
def test_any_bytes_are_read_or_refused(body: bytes, file_format: FileFormat) -> None:
    with contextlib.suppress(InvalidInput):
        list(read_rows(body, file_format))
    with contextlib.suppress(InvalidInput):
        list(read_rows(b"email,name\n" + body, file_format))


_cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)


@given(st.lists(_cells.map(str.strip), min_size=1))
def test_what_a_csv_writer_wrote_is_read_back(names: list[str]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["email", "name"])
    writer.writerows(["a@example.com", name] for name in names)
    rows = list(read_rows(text.getvalue().encode(), CSV))
    expected = [{"name": name} if name else {} for name in names]
    assert [row.attributes for row in rows if isinstance(row, Row)] == expected


_LINES = st.sampled_from(
    ["a@example.com,x", '"b@example.com","y\r\nz"', "", "c@example.com,\u00e9\u4e2d", "d", ",,,"]
)


@given(
    st.lists(_LINES, max_size=12),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.integers(1, 9),
    st.data(),
)
def test_reading_goes_on_from_any_record_whatever_the_blocks(
    lines: list[str], end: str, block: int, data: st.DataObject
) -> None:
    body = ("\ufeff" + end.join(["email,name", *lines])).encode()
    with pytest.MonkeyPatch.context() as patch:
        whole = list(records(body, CSV, Position()))
        patch.setattr(module, "BLOCK", block)
        assert list(records(body, CSV, Position())) == whole
        if whole:
            split = data.draw(st.integers(1, len(whole)))
            assert list(records(body, CSV, whole[split - 1].after)) == whole[split:]


@pytest.mark.parametrize("file_format", [CSV, NDJSON])
def test_a_block_is_let_go_without_the_garbage_collector(file_format: FileFormat) -> None:
    gc.collect()
    gc.disable()
    try:
        reading = records(b"email\na@example.com\nb@example.com\n", file_format, Position())
        next(reading)
        del reading
        assert not [one for one in gc.get_objects() if isinstance(one, module._Feed)]
    finally:
        gc.enable()
