"""The deployed block: ids on disk, the rest of the file untouched to the byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lib.errors import StateError
from lib.state import State

WRITTEN_BY_HAND = '{\n    "aws_region":   "us-east-1",\n    "threshold": 1.50\n}\n'


def test_the_users_text_keeps_its_bytes_and_the_block_comes_last(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(WRITTEN_BY_HAND)

    State(path).keep("api_id", "abc")

    text = path.read_text()
    assert text.startswith('{\n    "aws_region":   "us-east-1",\n    "threshold": 1.50,\n  "deployed": {')
    assert list(json.loads(text)) == ["aws_region", "threshold", "deployed"]


def test_every_id_is_on_disk_at_once_and_found_by_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(WRITTEN_BY_HAND)
    state = State(path)

    state.keep("api_id", "abc")
    state.keep_in("profile_ids", "one", "p1")
    state.keep_in("profile_ids", "two", "p2")
    state.forget_in("profile_ids", "one")

    assert State(path).snapshot() == {"api_id": "abc", "profile_ids": {"two": "p2"}}


@pytest.mark.parametrize(
    "before",
    [
        WRITTEN_BY_HAND,
        '{"a": 1}',
        '{"deployed": {"old": 1}, "a": 1}',
        '{"a": 1, "deployed": {"old": 1}}\n',
        '{"a": 1, "deployed": {"x": "}"}, "b": [{"deployed": 3}]}',
        "{}",
        '{"deployed": {}}',
    ],
)
def test_clearing_leaves_everything_else(tmp_path: Path, before: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(before)
    state = State(path)

    state.keep("api_id", "abc")
    state.clear()

    expected = {key: value for key, value in json.loads(before).items() if key != "deployed"}
    assert json.loads(path.read_text()) == expected


def test_a_file_that_does_not_exist_is_made_with_its_folder(tmp_path: Path) -> None:
    path = tmp_path / ".local" / "config.json"

    State(path).keep("endpoint_url", "http://127.0.0.1:4599")

    assert json.loads(path.read_text()) == {"deployed": {"endpoint_url": "http://127.0.0.1:4599"}}


def test_planning_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(WRITTEN_BY_HAND)
    state = State(path, frozen=True)

    state.keep("api_id", "(known after apply)")

    assert state.get("api_id") == "(known after apply)"
    assert path.read_text() == WRITTEN_BY_HAND


def test_the_files_mode_survives(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(WRITTEN_BY_HAND)
    path.chmod(0o640)

    State(path).keep("api_id", "abc")

    assert path.stat().st_mode & 0o777 == 0o640
    assert [file.name for file in tmp_path.iterdir()] == ["config.json"]


def test_a_broken_file_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"a": ')

    with pytest.raises(StateError, match="is not JSON"):
        State(path)
