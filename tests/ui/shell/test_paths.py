from __future__ import annotations

import os
import sys

import pytest

from ui.shell import paths
from ui.shell.paths import plain_name
from zspag_core.errors import CheckpointError, DataError
from zspag_core.files import write_json
from zspag_core.visitors import belongings
from zspag_core.visitors.belongings import about_file, uploads

LINKS = pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need rights there")


def put(path, text="x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_models_are_found_by_the_word_that_stands_for_them(home):
    own = put(belongings.trained() / "mine.safetensors")
    upload = put(belongings.uploads() / "ab12.pt")
    shipped = paths.shipped_checkpoints()[0]
    for path, token in ((own, "own:mine"), (upload, "upload:ab12.pt"), (shipped, shipped.stem)):
        assert paths.token_of(path) == token
        assert paths.model_of(token) == path


@pytest.mark.parametrize(
    "token", ["nothing", "own:nothing", "upload:nothing.pt", "upload:../../etc/passwd", "../digits_resnet", ""]
)
def test_other_words_for_models_are_refused(home, token):
    put(belongings.uploads() / "set.npz")
    with pytest.raises(CheckpointError, match="choose another"):
        paths.model_of(token)


def test_trained_models_come_newest_first_without_half_written_ones(home):
    old, new = put(belongings.trained() / "a.safetensors"), put(belongings.trained() / "b.safetensors")
    put(belongings.trained() / ".c.safetensors.state")
    os.utime(old, (1, 1))
    assert paths.trained_checkpoints() == [new, old]


def test_an_upload_is_called_as_it_came(home):
    upload = put(belongings.uploads() / "ab12.zip")
    assert paths.title_of(upload) == "ab12.zip"
    write_json(belongings.about_file(upload), {"title": "holiday.zip"})
    assert paths.title_of(upload) == "holiday.zip"
    assert paths.title_of(put(belongings.trained() / "mine.safetensors")) == "mine"


def test_data_is_a_name_an_upload_or_an_open_path(home, tmp_path, monkeypatch):
    shared = tmp_path / "shared"
    put(shared / "birds.npz")
    monkeypatch.setenv("ZSPAG_DATA", str(shared))
    upload = put(belongings.uploads() / "ab12.zip")
    assert paths.data_of("digits") == "digits"
    assert paths.data_of("birds") == str(shared / "birds.npz")
    assert paths.data_of("upload:ab12.zip") == str(upload)
    assert paths.data_token(str(upload)) == "upload:ab12.zip"
    assert paths.data_of(str(shared / "birds.npz")) == str(shared / "birds.npz")


def test_a_lost_upload_is_said(home):
    with pytest.raises(DataError, match="upload it again"):
        paths.data_of("upload:gone.zip")


@pytest.mark.parametrize("text", ["assets", "./x", "", "..", "tests/ui"])
def test_a_relative_path_is_refused(home, text):
    with pytest.raises(DataError, match="whole path"):
        paths.data_of(text)


def test_a_path_outside_the_roots_is_refused_with_the_way_out(home, tmp_path):
    put(tmp_path / "else" / "a.png")
    with pytest.raises(DataError, match=r"only inside .*ZSPAG_ROOTS"):
        paths.open_path(str(tmp_path / "else"))
    with pytest.raises(DataError, match="only inside"):
        paths.open_path(str(home / ".." / "else"))
    with pytest.raises(DataError, match="only inside"):
        paths.open_path(f"{home}-other")


def test_named_roots_are_open(home, tmp_path, monkeypatch):
    put(tmp_path / "one" / "a.png")
    put(tmp_path / "two" / "b.png")
    monkeypatch.setenv("ZSPAG_ROOTS", os.pathsep.join([str(tmp_path / "one"), str(tmp_path / "two")]))
    assert paths.open_path(str(tmp_path / "two")) == (tmp_path / "two").resolve()
    with pytest.raises(DataError, match="nothing at"):
        paths.open_path(str(tmp_path / "one" / "missing"))


def test_a_strange_path_is_refused(home):
    with pytest.raises(DataError, match=r"not a path|only inside"):
        paths.open_path("/a\0b")


@LINKS
def test_a_link_to_outside_does_not_open_a_door(home, tmp_path):
    secret = put(tmp_path / "secret" / "a.png").parent
    home.mkdir()
    (home / "door").symlink_to(secret)
    with pytest.raises(DataError, match="only inside"):
        paths.open_path(str(home / "door"))


@LINKS
def test_a_folder_with_a_link_to_outside_is_refused_and_one_to_inside_is_not(home, tmp_path):
    secret = put(tmp_path / "secret" / "a.png")
    put(home / "set" / "cats" / "b.png")
    (home / "set" / "dogs").symlink_to(home / "set" / "cats")
    assert paths.open_path(str(home / "set"))
    (home / "set" / "cats" / "c.png").symlink_to(secret)
    with pytest.raises(DataError, match=r"link that leads outside it: c\.png"):
        paths.open_path(str(home / "set"))


def test_a_folder_with_too_many_files_is_refused(home, monkeypatch):
    put(home / "set" / "a.png")
    put(home / "set" / "b.png")
    monkeypatch.setattr(paths, "MOST_ENTRIES", 1)
    with pytest.raises(DataError, match="more than 1 files"):
        paths.open_path(str(home / "set"))


def test_data_is_called_as_people_know_it(home):
    upload = uploads() / "ab12.zip"
    write_json(about_file(upload), {"title": "holiday.zip"})
    assert [plain_name(data) for data in ("digits", "/data/pets", str(upload))] == ["digits", "pets", "holiday.zip"]
