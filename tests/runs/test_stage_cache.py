from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from zspag_core.runs.stage_cache import NO_CACHE, FileStageCache


@dataclass(frozen=True)
class Parcel:
    name: str
    content: torch.Tensor


@dataclass(frozen=True)
class Stranger:
    name: str


class Evil:
    def __reduce__(self):
        return print, ("run while reading",)


@pytest.fixture
def memory(tmp_path):
    return FileStageCache(tmp_path / "state", "a", [Parcel])


def test_what_was_kept_is_recalled_with_its_types(memory):
    value = {"parcel": Parcel("x", torch.arange(3)), "rows": [{"epoch": 1.0, "mia": None}], "pair": (1, 2.5)}
    memory.keep("stage", value)
    found = memory.recall("stage")
    assert (found["rows"], found["pair"]) == (value["rows"], value["pair"])
    assert isinstance(found["parcel"], Parcel)
    assert torch.equal(found["parcel"].content, torch.arange(3))


def test_what_belongs_to_another_request_is_not_there(memory):
    memory.keep("stage", 1)
    assert memory.recall("other") is None
    assert FileStageCache(memory.folder, "b").recall("stage") is None


def test_a_file_that_was_cut_off_is_not_there(memory):
    memory.keep("stage", torch.arange(1000))
    path = memory.file("stage")
    for size in (0, 10, path.stat().st_size - 50):
        path.write_bytes(path.read_bytes()[:size])
        assert memory.recall("stage") is None


def test_nothing_in_a_file_is_run(memory, capsys):
    memory.keep("stage", Stranger("x"))
    assert memory.recall("stage") is None
    torch.save({"identity": "a", "value": Evil()}, memory.file("stage"))
    assert memory.recall("stage") is None
    assert capsys.readouterr().out == ""


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path):
    (tmp_path / "file").touch()
    memory = FileStageCache(tmp_path / "file" / "state", "a")
    memory.keep("part", 1)
    assert memory.recall("part") is None


def test_once_makes_a_part_only_once(memory):
    made = []
    for _ in range(2):
        assert memory.once("part", lambda: made.append(1) or 7) == 7
    assert made == [1]


def test_rooms_do_not_see_each_other(memory):
    memory.keep("part", "outside")
    room = memory.room("method")
    assert room.recall("part") is None
    room.keep("part", "inside")
    assert (memory.recall("part"), memory.room("method").recall("part")) == ("outside", "inside")


def test_forgetting_removes_everything(memory):
    memory.keep("part", 1)
    memory.room("method").keep("part", 1)
    memory.forget()
    assert not memory.folder.exists()
    memory.forget()


def test_the_base_keeps_nothing():
    NO_CACHE.keep("part", 1)
    NO_CACHE.forget()
    assert NO_CACHE.recall("part") is None
    assert NO_CACHE.file("part") is None
    assert NO_CACHE.room("x").once("part", lambda: 3) == 3
