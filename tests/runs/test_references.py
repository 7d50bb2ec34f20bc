from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.training.test_references import Ear
from zspag_core.checkpoints import load_checkpoint
from zspag_core.data import load_dataset
from zspag_core.errors import DataError, UsageError
from zspag_core.metrics.depth.references import References, load_references, save_references
from zspag_core.runs import references as module
from zspag_core.runs.references import OTHER_TRAINING, describe_parts, find_references
from zspag_core.shipped import REFERENCES

RECIPE = {"epochs": 6, "batch_size": 64}


def made(data, config, **changed):
    """Return four references of a data set, which say nothing of its images."""
    count = len(data.train) + len(data.test)
    included = torch.rand(4, count, generator=torch.Generator().manual_seed(0)).argsort(dim=0) < 2
    about = {
        "data": "digits",
        "images": describe_parts(data),
        "class_names": list(data.class_names),
        "model": "resnet_tiny",
        "image_size": config.image_size,
        "recipe": RECIPE | {"seed": 0},
    }
    return References(torch.zeros(4, count, 10).half(), included, about | changed)


@pytest.fixture
def about(small_digits):
    """What a file says of a model of that training."""
    return {
        "data": "digits",
        "class_names": list(small_digits.class_names),
        "model": "resnet_tiny",
        "recipe": RECIPE | {"seed": 5},
        "excluded": [],
        "backdoor": None,
    }


@pytest.fixture
def folder(small_digits, digits_config, tmp_path, monkeypatch):
    """A folder of what ships, with references of the small digits."""
    monkeypatch.setattr(module, "REFERENCES", tmp_path)
    save_references(tmp_path / "r.npz", made(small_digits, digits_config))
    return tmp_path


def test_what_ships_is_found_by_data_network_and_recipe(folder, about, digits_config, small_digits):
    assert len(find_references("", about, digits_config, small_digits, (3,))) == 4


@pytest.mark.parametrize(
    "changed",
    [
        {"data": "other"},
        {"model": "resnet_small"},
        {"class_names": ["a"]},
        {"recipe": RECIPE | {"epochs": 7}},
        {"recipe": {"epochs": "many"}},
        {"recipe": {"unheard": 1}},
        {"recipe": None},
        {"excluded": [5]},
        {"excluded": None},
        {"backdoor": "1:8"},
        {"started_from": {"recipe": {}}},
    ],
    ids=str,
)
def test_another_training_has_none(changed, folder, about, digits_config, small_digits):
    assert find_references("", about | changed, digits_config, small_digits, (3,)) is None


def test_a_model_that_never_saw_the_class_is_asked_by_the_originals(folder, about, digits_config, small_digits):
    assert find_references("", about | {"excluded": [3]}, digits_config, small_digits, (3,)) is not None


def test_a_model_of_nobody_knows_where_has_none(folder, digits_config, small_digits):
    assert find_references("", {}, digits_config, small_digits, (3,)) is None


def test_other_images_have_none(folder, about, digits_config, small_digits):
    fewer = replace(small_digits, train=small_digits.train[torch.arange(1, len(small_digits.train))])
    turned = replace(small_digits, train=small_digits.train[torch.arange(len(small_digits.train)).flip(0)])
    darker = replace(small_digits, test=replace(small_digits.test, images=small_digits.test.images // 2))
    for other in (fewer, turned, darker):
        assert find_references("", about, digits_config, other, (3,)) is None
        with pytest.raises(UsageError, match="expected those of the images of digits at 8 px"):
            find_references(str(folder / "r.npz"), about, digits_config, other, (3,))


def test_another_number_of_classes_is_refused(folder, about, digits_config, small_digits):
    eleven = replace(small_digits, class_names=(*small_digits.class_names, "ten"))
    with pytest.raises(UsageError, match="expected those of the images of digits"):
        find_references(str(folder / "r.npz"), about, digits_config, eleven, (3,))


def test_given_references_of_another_training_are_taken_and_told_of(folder, about, digits_config, small_digits):
    ear = Ear()
    asked = digits_config, small_digits, (3,), ear
    assert find_references(str(folder / "r.npz"), about, *asked) is not None
    assert ear.notes == []
    assert find_references(str(folder / "r.npz"), about | {"model": "resnet_small"}, *asked) is not None
    assert ear.notes == [OTHER_TRAINING]


def test_a_file_that_is_none_is_refused(about, digits_config, small_digits, tmp_path):
    with pytest.raises(DataError, match="there is no file"):
        find_references(str(tmp_path / "none.npz"), about, digits_config, small_digits, (3,))


@pytest.mark.parametrize("path", sorted(REFERENCES.glob("*.npz")), ids=lambda path: path.stem)
def test_shipped_references_are_of_the_model_whose_name_they_have(path):
    checkpoint, found = load_checkpoint(path.stem), load_references(path)
    config = checkpoint.model.config
    data = load_dataset("digits", image_size=config.image_size, channels=config.channels)
    asked = find_references("", checkpoint.about, config, data, (3,))
    assert torch.equal(asked.logits, found.logits)
    assert len(found) == 16
    assert set(found.included.sum(dim=0).tolist()) == {8}
    assert min(found.about["accuracy"]) > 95
    assert path.stat().st_size < 700_000
