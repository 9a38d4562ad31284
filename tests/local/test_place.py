import json
import socket
from pathlib import Path

import pytest

from local.client import ApiError
from local.cloud import end_leftovers, kept_cloud
from local.failure import LocalCloudError
from local.http import Answer
from local.place import Place
from local.ports import free_port
from local.providers import read_providers


def test_two_commands_cannot_be_at_one_place(tmp_path: Path) -> None:
    place = Place(tmp_path / "cloud")
    with place.held():
        with pytest.raises(LocalCloudError, match="another command is at work"), place.held():
            pass
        assert (place.folder / "lock").read_text().isdecimal()
    with place.held():
        pass


def test_scratch_is_empty_and_goes_away(tmp_path: Path) -> None:
    place = Place(tmp_path)
    scratch = place.fresh_scratch()
    (scratch / "file").write_text("x")
    assert list(place.fresh_scratch().iterdir()) == []
    place.remove_scratch()
    assert not scratch.exists()


def test_a_port_in_use_is_not_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) != port
    assert free_port(port) == port


def test_a_place_without_a_cloud_has_none(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert kept_cloud(place) is None
    assert end_leftovers(place) == 0


def test_a_damaged_record_does_not_stand_in_the_way(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.record.write_text("{")
    place.endpoints.write_text("{}")
    assert kept_cloud(place) is None
    assert end_leftovers(place) == 0
    assert not place.record.exists()
    assert not place.endpoints.exists()


@pytest.mark.parametrize("content", [None, "{", '{"providers": []}'])
def test_a_bad_providers_file_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "providers.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(LocalCloudError, match="providers"):
        read_providers(path)


def test_an_api_error_says_which_field() -> None:
    problem = {
        "type": "urn:tidepost:problem:invalid-input",
        "detail": "no",
        "errors": [{"field": "name", "reason": "is empty"}],
    }
    error = ApiError("POST", "/v1/lists", Answer(422, json.dumps(problem).encode()))
    assert (error.status, error.code) == (422, "invalid-input")
    assert "name: is empty" in str(error)


def test_an_error_without_a_problem_document_is_still_readable() -> None:
    error = ApiError("GET", "/v1/lists", Answer(502, b"<html>bad gateway"))
    assert error.code == "no-problem-document"
    assert "bad gateway" in str(error)
