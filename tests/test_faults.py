"""What the machine refuses is said in one sentence, from whatever library it comes."""

from __future__ import annotations

import errno
import os
import shutil
from types import SimpleNamespace

import pytest
import torch
from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from zspag_core import faults
from zspag_core.cli import main
from zspag_core.faults import fault_words, writing
from zspag_core.files import replace_file, write_json


@pytest.fixture
def full_database(tmp_path):
    """A database that has no room for another page, as on a full disk."""
    engine = create_engine(f"sqlite:///{tmp_path / 'full.db'}")
    with engine.begin() as connection:
        connection.execute(text("create table notes (line text)"))
        connection.execute(text("pragma max_page_count = 1"))
        yield connection


def test_a_full_database_says_so_and_that_nothing_is_lost(full_database):
    with pytest.raises(OperationalError) as caught:
        full_database.execute(text("insert into notes values (:line)"), {"line": "x" * 100_000})
    words = fault_words(caught.value)
    assert words.startswith("the database of the runs cannot be used: database or disk is full; once it can,")


def test_other_errors_are_no_faults_of_the_machine():
    assert fault_words(ValueError("no")) is None
    assert fault_words(ProgrammingError("select", {}, ValueError("no such column"))) is None


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(OSError, match="No such file") as caught:
        (tmp_path / "nothing").read_bytes()
    assert fault_words(caught.value) == f"{tmp_path / 'nothing'}: No such file or directory"


def on_full_disk(monkeypatch, free=0):
    monkeypatch.setattr(faults.shutil, "disk_usage", lambda _folder: SimpleNamespace(free=free))


@pytest.mark.parametrize("error", [RuntimeError("[enforce fail at inline_container.cc:672]"), OSError(28, "No space")])
def test_what_fails_on_a_full_disk_names_the_file_and_leaves_nothing(error, monkeypatch, tmp_path):
    on_full_disk(monkeypatch)

    def write():
        with replace_file(tmp_path / "model.pt") as partial:
            partial.write_text("half")
            raise error

    with pytest.raises(OSError, match=r"model\.pt") as caught:
        write()
    assert caught.value.errno == errno.ENOSPC
    assert not list(tmp_path.iterdir())


def test_an_error_while_there_is_room_stays_what_it_is(monkeypatch, tmp_path):
    on_full_disk(monkeypatch, free=10**9)
    with pytest.raises(RuntimeError, match="torn"), writing(tmp_path / "model.pt"):
        raise RuntimeError("torn")


def small_disk(folder):
    """Put a disk of 100 kB at a folder; the test is skipped where this may not be done."""
    import subprocess

    folder.mkdir()
    mount = shutil.which("mount")
    done = mount and subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(folder)], check=False)
    if not done or done.returncode:
        pytest.skip("no small disk can be mounted here")


@pytest.fixture
def disk(tmp_path):
    import subprocess

    small_disk(tmp_path / "disk")
    yield tmp_path / "disk"
    subprocess.run(["umount", str(tmp_path / "disk")], check=True)


def test_real_writers_on_a_real_full_disk(disk):
    from safetensors.torch import save_file

    from zspag_core.runs.artifacts import save_arrays

    weights = {"a": torch.zeros(50_000)}
    writers = {
        "arrays": lambda path: save_arrays(path, weights),
        "json": lambda path: write_json(path, ["x" * 200_000]),
        "torch": lambda path: _through(path, lambda partial: torch.save(weights, partial)),
        "safetensors": lambda path: _through(path, lambda partial: save_file(weights, partial)),
    }
    for name, write in writers.items():
        with pytest.raises(OSError, match="No space left on device") as caught:
            write(disk / name)
        assert caught.value.filename == str(disk / name)
        assert not list(disk.iterdir())


def _through(path, write):
    with replace_file(path) as partial:
        write(partial)


@pytest.mark.slow
def test_a_run_whose_folder_has_no_room_ends_in_one_line(disk, digits_checkpoint, capsys):
    request = ["--data", "digits", "--checkpoint", str(digits_checkpoint), "--forget", "3", "--method", "mask"]
    assert main(["unlearn", *request, "--device", "cpu", "--no-relearning", "--out", str(disk / "run")]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert os.strerror(errno.ENOSPC) in said
    assert str(disk) in said
    assert not list(disk.iterdir())
