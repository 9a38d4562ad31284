import contextlib
import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audience import rows as module
from shared.audience.model import RowRejection
from shared.audience.rows import FileFormat, Row, read_rows
from shared.errors import InvalidInput

CSV, JSON, NDJSON = FileFormat.CSV, FileFormat.JSON, FileFormat.NDJSON


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
        (b"", "is empty"),
        (b" \r\n", "is empty"),
        (b"email\n", "no subscribers"),
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
        (b"email,name\na@example.com," + b"x" * 200_000, "row 2 is not valid CSV"),
    ],
)
def test_a_csv_that_cannot_be_read_is_refused_with_the_place(body: bytes, reason: str) -> None:
    assert reason in refusal(body)


def test_json_in_both_shapes() -> None:
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
    assert list(read_rows(json.dumps(people).encode(), JSON)) == rows
    assert list(read_rows(json.dumps({"subscribers": people}).encode(), JSON)) == rows


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
    assert reason in refusal(body, JSON)


def test_too_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 2)
    assert len(list(read_rows(b"email\na\nb\n", CSV))) == 2
    assert "more than 2 rows" in refusal("email\na\nb\nc\n")


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


@given(st.binary(max_size=200), st.sampled_from(FileFormat))
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
