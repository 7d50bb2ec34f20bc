from __future__ import annotations

import pytest
import torch

from tests.methods.networks import NETWORKS
from zspag_core.checkpoints import load_checkpoint, save_checkpoint
from zspag_core.data import to_pixels
from zspag_core.erasing import Disturbance
from zspag_core.errors import Cancelled, UsageError
from zspag_core.hyperparameters import configure, values
from zspag_core.methods.erase import Erase
from zspag_core.models import build
from zspag_core.models.foreign.adapter import ForeignClassifier
from zspag_core.models.foreign.config import ForeignConfig
from zspag_core.progress import Reporter
from zspag_core.runs.config import RunConfig
from zspag_core.runs.context import RunContext
from zspag_core.runs.prepare import check
from zspag_core.runs.stage_cache import FileStageCache

QUICK = {"last_strength": 0.7, "images": 45, "synthesis_steps": 2, "passes": 1, "crop": 0, "flip": "no", "cutout": 0}


class Heard(Reporter):
    """Keeps what it is told, and may cancel."""

    def __init__(self, stage="", epoch=0):
        self.stage, self.last = stage, epoch
        self.notes, self.steps, self.epochs = [], [], []

    def note(self, sentence):
        self.notes.append(sentence)

    def progress(self, stage, done, total, **figures):
        self.steps.append((stage, done, total))
        if stage == self.stage:
            raise Cancelled("stop")

    def epoch(self, number, total, model, **figures):
        self.epochs.append((number, total))
        if number == self.last:
            raise Cancelled("stop")


def unlearn(model, forget, settings=QUICK, **context):
    return configure(Erase, settings).unlearn(
        model, forget, (3,), RunContext(torch.Generator().manual_seed(0), **context)
    )


@pytest.mark.parametrize("kind", ["resnet", "vgg"])
def test_only_the_last_stages_and_the_head_change(kind, small_digits):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build(NETWORKS[kind]).eval()
    forget = small_digits.train.of_classes((3,))[torch.arange(30)]
    found = unlearn(model, forget, QUICK | {"depth": 1}).model
    after = found.state_dict()
    changed = {key.rsplit(".", 1)[0] for key, value in model.state_dict().items() if not value.equal(after[key])}
    assert "head" in changed
    stages = ("stages.1.", "head") if kind == "resnet" else ("convs.4", "convs.5", "head")
    assert all(name.startswith(stages) for name in changed)
    assert bool(found(to_pixels(forget.images)).isfinite().all())


def test_a_stage_of_no_strength_is_passed_over(digits_model, forget):
    heard = Heard()
    found = unlearn(digits_model, forget, QUICK | {"last_strength": 0}, report=heard).model
    assert heard.epochs == [(1, 1)]
    assert not found.stages[0].state_dict()["0.convs.1.0.weight"].equal(digits_model.stages[0][0].convs[1][0].weight)


@pytest.mark.parametrize("kind", ["vit", "alexnet"])
def test_a_network_that_remembers_nothing_of_its_data_is_refused(kind):
    with pytest.raises(
        UsageError, match=f"^Stage-wise erasure: expected .* BatchNorm .*, got {kind} without BatchNorm$"
    ):
        Erase().check(build(NETWORKS[kind]), (3,))


def test_more_stages_than_there_are_or_none_are_refused(digits_model):
    Erase(depth=2).check(digits_model, (3,))
    with pytest.raises(UsageError, match=r"^last_strength: .* larger depth than 1: .* only stage 2 .* 0 passes over$"):
        Erase(depth=1).check(digits_model, (3,))
    with pytest.raises(UsageError, match=r"^depth: expected at most 2, the stages of this network, got 3$"):
        Erase(depth=3).check(digits_model, (3,))


def test_what_is_left_open_is_read_in_the_models_file(digits_model, small_digits, tmp_path):
    recipe = {"crop": 2, "flip": False, "cutout": 5}
    save_checkpoint(tmp_path / "m.safetensors", digits_model, {"data": "digits", "recipe": recipe})
    checkpoint = load_checkpoint(tmp_path / "m.safetensors")
    config = RunConfig(checkpoint="m", data="digits", method="erase", forget=("3",), settings={"cutout": 1})
    method = check(config, checkpoint, small_digits).method
    assert method.disturbance == Disturbance(2, False, 1)
    assert values(method)["flip"] == "no"
    older = Erase().knowing({"recipe": {"crop": 4, "flip": True}})
    assert older.disturbance == Disturbance(4, True, 0)


@pytest.mark.slow
@pytest.mark.parametrize("about", [{}, {"recipe": None}, {"recipe": {"epochs": 3}}])
def test_what_no_file_says_is_assumed_and_said(about, digits_model, forget):
    heard = Heard()
    method = configure(Erase, {"images": 10, "synthesis_steps": 1, "passes": 0}).knowing(about)
    method.unlearn(digits_model, forget, (3,), RunContext(torch.Generator(), heard))
    assert heard.notes == [
        "how the model's training images were changed is assumed, since nothing says it: moved by up to 4 pixels, "
        "mirrored, nothing blackened. What BatchNorm remembers is read by that, and where it is wrong the classes may "
        "stay: were they changed so, or otherwise (settings crop, flip, cutout)?"
    ]
    part = Heard()
    some = {"images": 10, "synthesis_steps": 1, "passes": 0, "crop": 0, "flip": "no"}
    unlearn(digits_model, forget, some, report=part)
    assert [note.partition("says it: ")[2].partition(".")[0] for note in part.notes] == ["nothing blackened"]
    assert "(settings cutout)" in part.notes[0]
    quiet = Heard()
    unlearn(digits_model, forget, report=quiet)
    assert quiet.notes == []


def test_progress_is_that_of_one_stage_and_an_epoch_is_an_erased_stage(digits_model, forget):
    heard = Heard()
    found = unlearn(digits_model, forget, report=heard)
    assert heard.epochs == [(1, 2), (2, 2)]
    assert [row["epoch"] for row in found.history] == [1, 2]
    steps = [(done, total) for stage, done, total in heard.steps if stage == "unlearn"]
    assert steps == [(place, len(steps)) for place in range(1, len(steps) + 1)]


@pytest.mark.slow
@pytest.mark.parametrize(("heard", "rows"), [(Heard("proxies"), 0), (Heard("unlearn"), 0), (Heard(epoch=1), 1)])
def test_it_can_be_cancelled_and_keeps_what_it_has_reached(heard, rows, digits_model, forget):
    found = unlearn(digits_model, forget, report=heard)
    assert (found.stopped, len(found.history)) == ("cancelled", rows)
    assert (found.model is digits_model) == (rows == 0)


@pytest.mark.slow
def test_an_interrupted_run_takes_its_stand_ins_over(digits_model, forget, tmp_path):
    whole = unlearn(digits_model, forget).model.state_dict()
    cache = FileStageCache(tmp_path, "this")
    unlearn(digits_model, forget, report=Heard("unlearn"), cache=cache)
    heard = Heard()
    again = unlearn(digits_model, forget, report=heard, cache=cache).model.state_dict()
    assert [step for step in heard.steps if step[0] == "proxies"] == [("proxies", 1, 1)]
    assert all(whole[key].equal(value) for key, value in again.items())


def test_a_stage_that_cannot_be_erased_is_passed_over_and_named(owners, small_digits):
    heard = Heard()
    forget = small_digits.train.of_classes((3,))[torch.arange(20)]
    found = unlearn(owners, forget, QUICK | {"images": 20}, report=heard)
    assert heard.notes == ["not erased: second (gated after BatchNorm, joined of several parts, or without it)"]
    assert heard.epochs == [(1, 1)]
    before, after = owners.owner_weights(), found.model.owner_weights()
    assert {name for name in before if name.startswith("first.") and not before[name].equal(after[name])}
    with pytest.raises(
        UsageError, match=r"^strength: expected more than 0, got 0 at every .* \(second cannot be erased"
    ):
        configure(Erase, QUICK | {"strength": 0}).check(owners, (3,))


class Owners(torch.nn.Module):
    """Its second stage is gated, its first is not."""

    def __init__(self):
        super().__init__()
        conv, norm, relu = torch.nn.Conv2d, torch.nn.BatchNorm2d, torch.nn.ReLU
        self.first = torch.nn.Sequential(conv(1, 8, 3, padding=1), norm(8), relu())
        self.second = torch.nn.Sequential(conv(8, 8, 3, 2, padding=1), norm(8), torch.nn.GLU(1))
        self.head = torch.nn.Linear(4, 10)

    def forward(self, x):
        return self.head(self.second(self.first(x)).mean((2, 3)))


@pytest.fixture(scope="module")
def owners():
    config = ForeignConfig(channels=1, image_size=8, mean=(0.3,), std=(0.35,), source="python:mine.py:Owners")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return ForeignClassifier(Owners(), config).eval()
