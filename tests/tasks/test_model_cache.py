from __future__ import annotations

import os

import pytest
import torch

from zspag_core.checkpoints import load_checkpoint, save_checkpoint
from zspag_core.tasks import model_cache as cache
from zspag_core.tasks.model_cache import cached_checkpoint, cached_dataset


@pytest.fixture(autouse=True)
def empty():
    cache._checkpoint.cache_clear()
    cache._dataset.cache_clear()


def test_a_file_is_read_again_only_when_it_changed(digits_checkpoint, digits_model, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(digits_checkpoint.read_bytes())
    first = cached_checkpoint(str(path))
    assert cached_checkpoint(str(path)) is first
    assert first.sha256 == load_checkpoint(path).sha256
    save_checkpoint(path, digits_model, {"data": "other"})
    os.utime(path, ns=(1, 1))  # whatever the file system's clock
    second = cached_checkpoint(str(path))
    assert second.about["data"] == "other"
    assert all(torch.equal(a, b) for a, b in zip(first.model.parameters(), second.model.parameters(), strict=True))


def test_only_so_many_models_stay(digits_checkpoint, tmp_path):
    for number in range(cache.MODELS + 2):
        path = tmp_path / f"{number}.safetensors"
        path.write_bytes(digits_checkpoint.read_bytes())
        cached_checkpoint(str(path))
    assert cache._checkpoint.cache_info().currsize == cache.MODELS


def test_data_are_shared_by_models_of_one_input_size(digits_checkpoint, small_digits):
    model = cached_checkpoint(str(digits_checkpoint))
    data = cached_dataset("digits", model)
    assert cached_dataset("digits", model) is data
    assert torch.equal(data.test.images, small_digits.test.images)


def test_what_fails_is_tried_again(digits_checkpoint, tmp_path):
    path = tmp_path / "late.safetensors"
    with pytest.raises(Exception, match=r"late\.safetensors"):
        cached_checkpoint(str(path))
    path.write_bytes(digits_checkpoint.read_bytes())
    assert cached_checkpoint(str(path)).model.config.num_classes == 10
