from __future__ import annotations

import pytest
import torch

from tests.asking import job_for
from zspag_core.checkpoints import load_checkpoint
from zspag_core.errors import CheckpointError, UsageError
from zspag_core.models import build, named_config
from zspag_core.tasks.import_weights import import_weights, left_open

TOLD = {"image_size": 8, "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}


@pytest.fixture
def foreign(tmp_path):
    """A bare state_dict of a network that takes 16 pixels."""
    model = build(named_config("resnet_tiny", num_classes=3, image_size=16)).eval()
    torch.save(model.state_dict(), tmp_path / "bare.pt")
    return tmp_path / "bare.pt"


def test_what_is_told_is_in_the_new_file_and_the_weights_are_the_same(foreign):
    made = load_checkpoint(import_weights(job_for({"checkpoint": str(foreign), "told": TOLD}))["checkpoint"])
    config = made.model.config
    assert (config.image_size, config.mean, config.std) == (8, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    old = torch.load(foreign, weights_only=True)
    assert all(torch.equal(tensor, old[name]) for name, tensor in made.model.state_dict().items() if name in old)
    assert made.about["told"] == TOLD
    assert left_open(made) == {"image_size": 8, "mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6)}


def test_same_words_give_the_same_file_and_can_be_corrected(foreign):
    first = import_weights(job_for({"checkpoint": str(foreign), "told": TOLD}))["checkpoint"]
    assert import_weights(job_for({"checkpoint": str(foreign), "told": TOLD}))["checkpoint"] == first
    again = import_weights(job_for({"checkpoint": first, "told": {"image_size": 24}}))["checkpoint"]
    config = load_checkpoint(again).model.config
    assert (config.image_size, config.mean) == (24, (0.1, 0.2, 0.3))
    assert again != first


def test_only_what_the_weights_do_not_show_is_open(foreign, digits_checkpoint):
    assert left_open(load_checkpoint(digits_checkpoint)) == {}
    assert set(left_open(load_checkpoint(foreign))) == {"image_size", "mean", "std"}


def test_what_does_not_go_with_the_weights_is_refused(foreign):
    with pytest.raises(CheckpointError, match="mean"):
        import_weights(job_for({"checkpoint": str(foreign), "told": {"mean": [0.5]}}))
    assert [path.name for path in foreign.parent.iterdir()] == ["bare.pt"]


def test_names_of_the_outputs_are_kept_and_must_be_as_many(foreign):
    names = ["cat", "dog", "fish"]
    made = import_weights(job_for({"checkpoint": str(foreign), "told": {}, "class_names": names}))["checkpoint"]
    assert load_checkpoint(made).about["class_names"] == names
    other = import_weights(job_for({"checkpoint": str(foreign), "told": {}, "class_names": names[::-1]}))["checkpoint"]
    assert other != made
    with pytest.raises(UsageError, match="classes: expected 3 names, one for each output of the model, got 2"):
        import_weights(job_for({"checkpoint": str(foreign), "told": {}, "class_names": names[:2]}))
