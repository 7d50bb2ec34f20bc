"""Model and data of the last run are used again while their files are as they were."""

from __future__ import annotations

import gc
import threading
import weakref
from dataclasses import replace

import pytest
from PIL import Image

from zspag_core.runs.config import RunConfig
from zspag_core.runs.held import prepare_held


@pytest.fixture
def asked(digits_checkpoint):
    settings = {"epochs": 2, "n_adv": 8, "epsilon": 0.3, "energy": 0.8}
    return RunConfig("digits", str(digits_checkpoint), (3,), settings=settings, device="cpu", relearning=False)


def test_model_and_data_of_the_last_run_are_used_again(asked):
    first = prepare_held(asked)
    second = prepare_held(replace(asked, seed=4, settings={}))
    assert second.checkpoint is first.checkpoint
    assert second.config.seed == 4


def test_one_model_is_held_at_a_time(asked):
    first = weakref.ref(prepare_held(asked).checkpoint.model)
    prepare_held(replace(asked, forget=(4,)))
    gc.collect()
    assert first() is None


def test_no_thread_sees_another_ones_model(asked):
    found = [prepare_held(asked)]
    other = threading.Thread(target=lambda: found.append(prepare_held(asked)))
    other.start()
    other.join()
    assert found[1].checkpoint.model is not found[0].checkpoint.model
    assert found[1].checkpoint.sha256 == found[0].checkpoint.sha256


def test_a_changed_image_is_seen(small_digits, asked, tmp_path):
    folder = tmp_path / "mine"
    for label in range(10):
        (folder / str(label)).mkdir(parents=True)
        for number, image in enumerate(small_digits.train.images[small_digits.train.labels == label][:4]):
            Image.fromarray(image[0].numpy()).save(folder / str(label) / f"{number}.png")
    mine = replace(asked, data=str(folder))
    first = prepare_held(mine)
    assert prepare_held(mine).checkpoint is first.checkpoint
    Image.fromarray(small_digits.train.images[0, 0].numpy()).save(folder / "3" / "another.png")
    assert len(prepare_held(mine).dataset.train) > len(first.dataset.train)
