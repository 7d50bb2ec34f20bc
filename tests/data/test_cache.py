from __future__ import annotations

import os

import pytest
import torch

from zspag_core.data import cache
from zspag_core.data.cache import cached
from zspag_core.data.dataset import DataSet, Split


@pytest.fixture(autouse=True)
def _cache_small_sets(monkeypatch):
    monkeypatch.setattr(cache, "MIN_IMAGES", 3)


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "mine.zip"
    path.write_bytes(b"1")
    return path


class Loader:
    """Counts how often the data set is decoded."""

    def __init__(self, images=4):
        self.calls = 0
        self.images = images

    def __call__(self):
        self.calls += 1
        images = torch.arange(self.images * 12, dtype=torch.uint8).view(-1, 3, 2, 2)
        split = Split(images, torch.arange(self.images) % 2)
        return DataSet("mine", ("a", "ä b"), split, split[torch.tensor([0, 1])], ("a note, ä",))


def test_the_second_time_nothing_is_decoded(source):
    load = Loader()
    first, second = (cached(source, 2, 3, load) for _ in range(2))
    assert load.calls == 1
    assert second.name == "mine"
    assert second.class_names == ("a", "ä b")
    assert second.notes == ("a note, ä",)
    for part in ("train", "test"):
        assert torch.equal(getattr(first, part).images, getattr(second, part).images)
        assert torch.equal(getattr(first, part).labels, getattr(second, part).labels)


def test_another_size_or_colour_is_decoded(source):
    load = Loader()
    for image_size, channels in ((2, 3), (2, 1), (4, 3)):
        cached(source, image_size, channels, load)
    assert load.calls == 3


def test_another_reading_is_decoded(source):
    load = Loader()
    for reading in ("a", "b", "a"):
        cached(source, 2, 3, load, reading)
    assert load.calls == 2


@pytest.mark.parametrize("change", [lambda path: path.write_bytes(b"22"), lambda path: os.utime(path, ns=(1, 1))])
def test_changed_files_are_decoded_again(source, change):
    load = Loader()
    cached(source, 2, 3, load)
    change(source)
    cached(source, 2, 3, load)
    assert load.calls == 2


def test_a_file_added_to_a_folder_is_seen(source):
    load = Loader()
    cached(source.parent, 2, 3, load)
    (source.parent / "sub").mkdir()
    (source.parent / "sub" / "new.png").write_bytes(b"")
    cached(source.parent, 2, 3, load)
    assert load.calls == 2


def test_small_sets_are_not_kept(source, home):
    cached(source, 2, 3, Loader(images=2))
    cache.MIN_IMAGES = 5
    cached(source, 2, 3, Loader(images=2))
    assert len(list(home.rglob("*.safetensors"))) == 1


def test_a_damaged_cache_is_done_without(source, home):
    load = Loader()
    cached(source, 2, 3, load)
    (file,) = home.rglob("*.safetensors")
    file.write_bytes(b"damaged")
    assert len(cached(source, 2, 3, load).train) == 4
    assert load.calls == 2


def test_a_home_that_cannot_be_written_is_done_without(source, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path / "file" / "home"))
    assert len(cached(source, 2, 3, Loader()).train) == 4


def test_old_files_are_removed(source, home, monkeypatch):
    monkeypatch.setattr(cache, "MAX_FILES", 2)
    for image_size in range(1, 5):
        cached(source, image_size, 3, Loader())
    assert len(list(home.rglob("*.safetensors"))) == 2
    load = Loader()
    cached(source, 4, 3, load)
    assert load.calls == 0
