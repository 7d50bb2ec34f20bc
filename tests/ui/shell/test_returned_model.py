from __future__ import annotations

import io
import zipfile

import pytest

from ui.shell.returned_model import returned_bytes, returned_model, returned_words


def test_a_model_that_came_in_a_file_goes_back_as_that_file(tmp_path):
    (tmp_path / "unlearned.pth.tar").write_bytes(b"weights")
    found = returned_model(tmp_path, {"model": {"returned": "unlearned.pth.tar"}})
    assert (found.name, returned_bytes(found)) == ("unlearned.pth.tar", b"weights")


def test_a_model_folder_is_zipped_the_same_way_every_time(tmp_path):
    folder = tmp_path / "unlearned"
    folder.mkdir()
    for name in ("model.safetensors", "config.json"):
        (folder / name).write_bytes(name.encode())
    first = returned_bytes(returned_model(tmp_path, {"model": {"returned": "unlearned"}}))
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.namelist() == ["unlearned/config.json", "unlearned/model.safetensors"]
        assert archive.read("unlearned/config.json") == b"config.json"
    assert returned_bytes(folder) == first


@pytest.mark.parametrize("model", [None, {}, {"returned": None}, {"returned": "gone.pt"}, {"returned": "../other.pt"}])
def test_no_other_file_is_handed_out_as_the_model(tmp_path, model):
    folder = tmp_path / "run"
    folder.mkdir()
    (tmp_path / "other.pt").write_bytes(b"secret")
    assert returned_model(folder, {"model": model}) is None


def test_what_is_left_out_is_said(tmp_path):
    said = returned_words({"left_out": ["without optimizer, which may still hold the class"]})
    assert said.endswith("Without optimizer, which may still hold the class.")
    assert returned_words({}).startswith("**Unlearned, as it came**")
