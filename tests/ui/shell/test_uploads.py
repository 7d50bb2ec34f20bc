from __future__ import annotations

import os
import time
from types import SimpleNamespace

import pytest

from ui.shell import paths, uploads
from zspag_core.errors import CheckpointError, DataError
from zspag_core.visitors import belongings


def upload(name, content=b"content", size=None):
    """What streamlit hands over; the browser's word for the size may be a lie."""
    return SimpleNamespace(name=name, size=size or len(content), getbuffer=lambda: memoryview(content))


def names():
    return sorted(path.name for path in belongings.uploads().iterdir() if not path.name.startswith("."))


@pytest.fixture(autouse=True)
def own_home(home):
    return home


def test_a_checkpoint_is_kept_under_a_name_of_our_own(home):
    path = uploads.keep_checkpoint(upload("../../evil name.PT", b"weights"))
    assert path.parent == home / "uploads"
    assert len(path.name) == uploads.NAME_LETTERS + len(".pt")
    assert path.read_bytes() == b"weights"
    assert paths.title_of(path) == "evil name.PT"
    assert paths.model_of(paths.token_of(path)) == path


def test_the_same_bytes_are_kept_once(home):
    first = uploads.keep_data([upload("a.zip")])
    os.utime(first, (1, 1))
    assert uploads.keep_data([upload("b.zip")]) == first
    assert first.stat().st_mtime > 1, "it counts as used again"
    assert uploads.keep_data([upload("a.zip", b"other")]) != first
    assert len(names()) == 2


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("model_best.pth.tar", ".pth.tar"),
        ("epoch=3.ckpt", ".ckpt"),
        ("pytorch_model.bin", ".bin"),
        ("resnet20.th", ".th"),
        ("folder.zip", ".zip"),
        ("weights", ""),
        ("notes.txt", ".txt"),
        ("a.p t", ""),
        ("a.pt;rm", ""),
    ],
)
def test_any_ending_is_kept_as_a_checkpoint_since_its_content_counts(name, ending):
    path = uploads.keep_checkpoint(upload(name))
    assert path.name == path.name[: uploads.NAME_LETTERS] + ending
    assert paths.title_of(path) == name


def test_a_model_on_the_server_is_copied_without_code(home, tmp_path):
    folder = tmp_path / "resnet"
    folder.mkdir()
    for name in ("config.json", "model.safetensors", "modeling.py", ".hidden.json"):
        (folder / name).write_bytes(name.encode())
    kept = uploads.keep_server_model(folder)
    assert sorted(path.name for path in kept.iterdir()) == ["config.json", "model.safetensors"]
    assert (paths.title_of(kept), kept.parent) == ("resnet", belongings.uploads())
    file = tmp_path / "best.pth.tar"
    file.write_bytes(b"weights")
    kept = uploads.keep_server_model(file)
    assert (kept.read_bytes(), kept.name[uploads.NAME_LETTERS :]) == (b"weights", ".pth.tar")


def test_an_empty_folder_on_the_server_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="holds no file of a model"):
        uploads.keep_server_model(tmp_path)


def test_size_is_counted_on_the_server_whatever_the_browser_says(monkeypatch):
    monkeypatch.setattr(uploads, "MODEL_MB", 1)
    with pytest.raises(CheckpointError, match="has 2 MB; this server takes files of at most 1 MB"):
        uploads.keep_checkpoint(upload("a.pt", bytes(2_000_000), size=10))
    assert not belongings.uploads().exists()


def test_an_empty_file_is_refused():
    with pytest.raises(DataError, match=r"a\.zip is empty"):
        uploads.keep_data([upload("a.zip", b"")])


def test_several_parquet_files_make_a_folder_that_tells_the_splits(home):
    files = [upload("train-00001-of-2.parquet", b"2"), upload("TEST.parquet", b"t"), upload("train-0.parquet", b"1")]
    folder = uploads.keep_data(files)
    assert folder.is_dir()
    assert sorted(path.name for path in folder.iterdir()) == [
        "test-0000.parquet",
        "train-0001.parquet",
        "train-0002.parquet",
    ]
    assert (folder / "train-0001.parquet").read_bytes() == b"1"
    assert paths.title_of(folder) == "train-00001-of-2.parquet and 2 more"
    assert uploads.keep_data(list(reversed(files))) == folder
    assert paths.data_of(paths.data_token(str(folder))) == str(folder)


def test_one_parquet_file_makes_a_folder_too(home):
    folder = uploads.keep_data([upload("cats.parquet")])
    assert [path.name for path in folder.iterdir()] == ["part-0000.parquet"]


@pytest.mark.parametrize("files", [["a.zip", "b.zip"], ["a.parquet", "b.npz"], []])
def test_a_mixture_of_files_is_refused(files):
    with pytest.raises(DataError, match="not a mixture"):
        uploads.keep_data([upload(name) for name in files])


def test_a_set_has_a_limit_of_its_own(monkeypatch):
    monkeypatch.setattr(uploads, "SET_MB", 1)
    with pytest.raises(DataError, match="2 MB together; this server takes 1 MB"):
        uploads.keep_data([upload(f"{k}.parquet", bytes(800_000)) for k in range(2)])


def test_nothing_half_written_stays_when_the_disk_is_full(home, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(uploads.Path, "write_bytes", full)
    with pytest.raises(DataError, match=r"a\.parquet cannot be kept on the server: No space left"):
        uploads.keep_data([upload("a.parquet")])
    assert names() == []


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("C:\\Users\\me\\a.zip", "a.zip"),
        ("/etc/passwd", "passwd"),
        ("a\n\x1b[31m.zip", "a[31m.zip"),
        ("x" * 500 + ".zip", "x" * 60 + ".zip"),
        ("", "file"),
    ],
)
def test_titles_are_harmless(given, shown):
    assert uploads.safe_title(given) == shown


def test_what_nobody_used_for_a_month_goes(home):
    old, used, new = (uploads.keep_data([upload(f"{k}.zip", k.encode())]) for k in ("old", "used", "new"))
    month_ago = time.time() - 31 * 86_400
    os.utime(old, (month_ago, month_ago))
    os.utime(used, (month_ago, month_ago))
    assert uploads.purge({str(used)}) == 1
    assert names() == sorted([used.name, new.name])
    assert not belongings.about_file(old).exists()


def test_the_oldest_go_when_there_is_no_room(home, monkeypatch):
    monkeypatch.setattr(uploads, "KEPT_MB", 0.0025)
    kept = [uploads.keep_data([upload(f"{k}.zip", bytes([k]) * 1000)]) for k in range(4)]
    for age, path in enumerate(reversed(kept)):
        os.utime(path, (time.time() - age, time.time() - age))
    assert uploads.purge(()) == 2
    assert names() == sorted(path.name for path in kept[2:])


def test_purge_without_uploads_does_nothing():
    assert uploads.purge(()) == 0


def test_sentences_call_uploads_as_they_came(home):
    path = uploads.keep_data([upload("holiday.zip")])
    assert (
        paths.in_words(f"{path} is not a zip; {path.name} is bad.", path)
        == "holiday.zip is not a zip; holiday.zip is bad."
    )
    assert paths.in_words("no path here", "digits") == "no path here"
