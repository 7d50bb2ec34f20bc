from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from zspag_core.errors import UsageError
from zspag_core.files import check_writable, home, read_json, replace_file, unwritable, write_json
from zspag_core.runs.artifacts import save_arrays


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with replace_file(path) as partial:
        partial.write_text("half")
        assert not path.exists()
    assert path.read_text() == "half"
    assert list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write() -> None:
        with replace_file(path) as partial:
            partial.write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="about modes")
@pytest.mark.parametrize(("folder", "file"), [(0o755, 0o644), (0o750, 0o640), (0o700, 0o600)])
def test_a_file_is_read_by_those_who_may_read_its_folder(folder, file, tmp_path):
    place = tmp_path / "run"
    place.mkdir()
    place.chmod(folder)
    save_arrays(place / "a.safetensors", {"a": torch.zeros(1)})
    assert (place / "a.safetensors").stat().st_mode & 0o777 == file


def test_what_stands_in_the_way_of_a_new_file_is_named(tmp_path):
    file = tmp_path / "file"
    file.touch()
    assert unwritable(tmp_path / "a" / "b" / "c") is None
    assert unwritable(file / "a" / "b") == file
    check_writable(tmp_path / "a")
    with pytest.raises(UsageError, match=r"out: .*b cannot be written: .*file is not a folder that can be written"):
        check_writable(file / "a" / "b")


def test_json_is_read_back(tmp_path):
    record = {"a": [1, 2.5, None], "b": "ü"}
    write_json(tmp_path / "a.json", record)
    assert read_json(tmp_path / "a.json") == record
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == record


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_refuses_what_it_cannot_say(tmp_path, value):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"a": value})
    assert not list(tmp_path.iterdir())


def test_home_is_the_variable_or_a_folder_of_the_person(monkeypatch, tmp_path):
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path))
    assert home() == tmp_path
    monkeypatch.setenv("ZSPAG_HOME", "~/there")
    assert home() == Path.home() / "there"
    monkeypatch.setenv("ZSPAG_HOME", "")
    assert home() == Path.home() / ".zspag"
    monkeypatch.delenv("ZSPAG_HOME")
    assert home() == Path.home() / ".zspag"
