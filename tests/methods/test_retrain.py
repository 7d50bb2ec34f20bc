from __future__ import annotations

import pytest
import torch

from zspag_core.checkpoints import load_checkpoint, save_checkpoint
from zspag_core.data import to_pixels
from zspag_core.errors import Cancelled
from zspag_core.methods.retrain import Retrain
from zspag_core.progress import Reporter
from zspag_core.recipes import Recipe
from zspag_core.runs.config import RunConfig
from zspag_core.runs.context import RunContext
from zspag_core.runs.notes import say_assumptions
from zspag_core.runs.prepare import check
from zspag_core.training.loop import train


class Ear(Reporter):
    def __init__(self, stop_at=0):
        self.stages, self.epochs, self.stop_at = set(), [], stop_at

    def progress(self, stage, done, total, **figures):
        self.stages.add(stage)

    def epoch(self, number, total, model, **figures):
        self.epochs.append((number, total))
        if number == self.stop_at:
            raise Cancelled("stop")


@pytest.mark.slow
@pytest.mark.parametrize("seed", [4, 2**63 - 1])
def test_it_is_training_on_remaining_data_alone(digits_model, small_digits, seed):
    forget, retain = small_digits.train.of_classes((3,)), small_digits.train.without_classes((3,))
    settings = {"epochs": 2, "batch_size": 128, "crop": 0, "flip": False}
    ear = Ear()
    found = Retrain(**settings).unlearn(
        digits_model, forget, retain, (3,), RunContext(torch.Generator().manual_seed(seed), ear)
    )
    expected = train(digits_model.config, retain, Recipe(**settings, seed=seed), device=torch.device("cpu"))
    for name, value in expected.model.state_dict().items():
        assert torch.equal(found.model.state_dict()[name], value)
    assert ear.stages == {"unlearn"}
    assert ear.epochs == [(1, 2), (2, 2)]
    assert [set(row) for row in found.history] == [{"epoch", "loss"}] * 2
    with torch.no_grad():
        predicted = found.model(to_pixels(small_digits.test.images)).argmax(1)
    assert float((predicted == 3).float().mean()) < 0.02


def test_cancelling_returns_what_was_reached(digits_model, small_digits, generator):
    forget, retain = small_digits.train.of_classes((3,)), small_digits.train.without_classes((3,))
    found = Retrain(epochs=3).unlearn(digits_model, forget, retain, (3,), RunContext(generator, Ear(1)))
    assert found.stopped == "cancelled"
    assert len(found.history) == 1


RECIPE = {"epochs": 7, "flip": False, "crop": 2, "averaged": 3, "seed": 9}


def asked(small_digits, model, tmp_path, about, **settings):
    """Return Retrain as a run of a model with such a header would carry it out."""
    save_checkpoint(tmp_path / "m.safetensors", model, about)
    checkpoint = load_checkpoint(tmp_path / "m.safetensors")
    config = RunConfig(checkpoint="m", data="digits", method="retrain", forget=("3",), settings=settings)
    return check(config, checkpoint, small_digits)


def test_it_goes_by_the_models_recipe_where_nobody_says_otherwise(small_digits, digits_model, tmp_path):
    about = {"data": "digits", "recipe": RECIPE}
    assert asked(small_digits, digits_model, tmp_path, about).method == Retrain(epochs=7, flip=False, crop=2)
    assert asked(small_digits, digits_model, tmp_path, about, epochs="2").method == Retrain(
        epochs=2, flip=False, crop=2
    )
    trained_on = {"recipe": {"epochs": 1}, "started_from": {"recipe": RECIPE}}
    assert asked(small_digits, digits_model, tmp_path, trained_on).method.epochs == 7


def test_what_no_file_says_is_assumed_and_said(small_digits, digits_model, tmp_path):
    class Heard(Reporter):
        def __init__(self):
            self.notes = []

        def note(self, sentence):
            self.notes.append(sentence)

    def said(about, **settings):
        heard = Heard()
        say_assumptions(asked(small_digits, digits_model, tmp_path, about, **settings), heard)
        return [sentence for sentence in heard.notes if "retrained" in sentence]

    assert said({}) == [
        "the model's file does not say how it was trained; it is retrained for 20 epochs by sgd at 0.1, on images "
        "moved by up to 4 pixels, mirrored: where it was trained otherwise, say so"
    ]
    assert said({}, epochs=3) == said({"recipe": RECIPE}) == []
