from __future__ import annotations

import copy
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

import zspag_core as zspag
from zspag_core.runs.config import RunConfig
from zspag_core.runs.execute import execute

ROOT = Path(__file__).parents[1]
FAST = {"epochs": 1, "n_adv": 8, "epsilon": 0.3, "attack_steps": 5, "stop_rule": False}
PREPROCESS = {"mean": 0.3, "std": 0.35}


class Reader(nn.Module):
    """Somebody's own network for grey images."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 12, 3, padding=1)
        self.deeper = nn.Conv2d(12, 24, 3, padding=1)
        self.out = nn.Linear(24 * 4, 10)

    def forward(self, x):
        x = F.relu(self.deeper(F.relu(self.stem(x))))
        return {"logits": self.out(F.adaptive_max_pool2d(x, 2).flatten(1))}


def normalised(images):
    return (images.float() / 255 - 0.3) / 0.35


@pytest.fixture(scope="session")
def reader(small_digits):
    """A trained network of somebody's own; never change it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Reader()
        optimizer = torch.optim.AdamW(network.parameters(), lr=5e-3)
        for _ in range(4):
            for batch in torch.randperm(len(small_digits.train)).split(64):
                optimizer.zero_grad()
                logits = network(normalised(small_digits.train.images[batch]))["logits"]
                F.cross_entropy(logits, small_digits.train.labels[batch]).backward()
                optimizer.step()
    for parameter in network.stem.parameters():
        parameter.requires_grad_(False)
    optimizer.zero_grad()
    return network.eval()


@pytest.fixture(scope="session")
def threes(small_digits):
    """All that is to be forgotten."""
    return small_digits.train.of_classes([3])


def right(network, part):
    with torch.no_grad():
        return float((network(normalised(part.images))["logits"].argmax(1) == part.labels).double().mean())


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, zspag_core; print(sorted({'torch', 'numpy', 'streamlit'} & set(sys.modules)), dir(zspag_core))"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert shown.startswith("[] ")
    assert "'unlearn'" in shown


def test_every_public_name_is_there():
    for name in zspag.__all__:
        assert getattr(zspag, name) is not None
    assert set(zspag.__all__) <= set(dir(zspag))
    with pytest.raises(AttributeError, match="no attribute 'forget'"):
        zspag.forget  # noqa: B018 - asking is the test


@pytest.mark.slow
def test_the_owners_network_comes_back_without_the_class(reader, threes, small_digits, assert_untouched, state_of):
    before = state_of(reader)
    settings = FAST | {"epochs": 10}
    result = zspag.unlearn(reader, threes.images, threes.labels, forget=[3], preprocess=PREPROCESS, **settings)
    assert_untouched(reader, before)
    assert type(result.model) is Reader
    assert list(result.model.state_dict()) == list(reader.state_dict())
    assert not result.model.stem.weight.requires_grad
    rest = small_digits.test.without_classes([3])
    assert right(result.model, small_digits.test.of_classes([3])) < 0.1
    assert right(result.model, rest) > right(reader, rest) - 0.05
    assert result.record["forget"] == [3]
    assert result.record["before"]["acc_rt"] is None
    assert any("not graded" in note for note in result.notes)


@pytest.mark.slow
def test_labels_that_are_not_the_networks_are_refused_unless_they_are_trusted(reader, threes, small_digits):
    some, asked = threes.images[:40], {"forget": 5, "preprocess": PREPROCESS} | FAST
    with pytest.raises(
        ValueError, match=r"labels: the network reads 0\.0 % of 40 .* of '5', its output 5, as output 3"
    ):
        zspag.unlearn(reader, some, 5, **asked)
    with pytest.raises(ValueError, match="labels numbered as in its training; trust_labels=True"):
        zspag.unlearn(reader, small_digits.train.images, (small_digits.train.labels + 1) % 10, **asked)
    numbered = pytest.warns(UserWarning, match="may have cost another class.* Are the labels numbered as there")
    with pytest.warns(UserWarning, match="are they"), numbered:
        zspag.unlearn(reader, some, 5, trust_labels=True, **asked)


@pytest.mark.slow
def test_images_that_look_altered_are_refused_unless_they_are_trusted(reader, small_digits):
    train, asked = small_digits.train, {"forget": 3, "preprocess": PREPROCESS} | FAST
    with pytest.raises(ValueError, match=r"images: .* with light and dark exchanged .*OpenCV.*trust_labels=True"):
        zspag.unlearn(reader, 255 - train.images, train.labels, **asked)
    with warnings.catch_warnings(record=True, action="always") as heard:
        result = zspag.unlearn(reader, 255 - train.images, train.labels, trust_labels=True, **asked)
    assert any("were the images altered on their way?" in note for note in result.notes)
    assert any("were the images altered on their way?" in str(one.message) for one in heard)
    assert any("the model read only" in str(one.message) for one in heard)


def test_two_numbers_that_changed_places_among_many_are_refused(reader, small_digits):
    train = small_digits.train
    swapped = torch.tensor([0, 1, 2, 8, 4, 5, 6, 7, 3, 9])[train.labels]
    with pytest.raises(ValueError, match=r"labels: the network reads .* '3', its output 3, as output 8"):
        zspag.unlearn(reader, train.images, swapped, forget=3, preprocess=PREPROCESS, **FAST)


@pytest.mark.slow
def test_other_images_among_those_to_forget_are_told_of(reader, small_digits):
    both = small_digits.train.of_classes([3, 8])
    some = both[(both.labels == 3) | (torch.arange(len(both)) % 3 == 0)]
    with pytest.warns(UserWarning, match="are they all of"):
        notes = zspag.unlearn(reader, some.images, 3, forget=3, preprocess=PREPROCESS, **FAST).notes
    (note,) = (note for note in notes if "are they all of" in note)
    assert "% as '8'" in note


class Halved(nn.Module):
    """A network with BatchNorm for what was normalised by 0.5 and 0.5."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x * 0.5 + 0.5)


def share_read(network, images, prepared):
    """Return how many of the images, normalised so, a network takes for threes."""
    with torch.inference_mode():
        answers = network((images / 255 - prepared["mean"][0]) / prepared["std"][0])
    return float((answers.argmax(1) == 3).float().mean())


@pytest.mark.slow
def test_images_of_one_class_that_are_prepared_otherwise_are_told_of(digits_model, threes):
    network, asked = Halved(copy.deepcopy(digits_model)).eval(), {"forget": 3, "trust_labels": True} | FAST
    right, *others = ({"mean": (mean,), "std": (0.5,)} for mean in (0.5, 1.5, -1.0, 3.0, -3.0))
    far = next(one for one in others if share_read(network, threes.images, one) < 0.1)  # a lost network names any class
    told = zspag.unlearn(network, threes.images, 3, preprocess=right, **asked).notes
    assert "BatchNorm remembers" not in " ".join(told)
    with warnings.catch_warnings(record=True, action="always") as heard:
        told = zspag.unlearn(network, threes.images, 3, preprocess=far, **asked).notes
    assert "BatchNorm remembers" in " ".join(told)
    assert "BatchNorm remembers" in " ".join(str(one.message) for one in heard)


def test_a_seed_that_cannot_be_is_refused(reader, threes):
    for seed in (-1, 2**63, 1.5, True):
        with pytest.raises(ValueError, match=r"seed: expected a whole number from 0 to 2\^63 - 1, got"):
            zspag.unlearn(reader, threes.images, 3, forget=3, preprocess=PREPROCESS, seed=seed, **FAST)


@pytest.mark.slow
def test_the_same_as_the_command_line(digits_checkpoint, threes, tmp_path):
    config = RunConfig("digits", str(digits_checkpoint), (3,), settings=FAST, seed=4, relearning=False)
    execute(config, tmp_path / "run")
    made = zspag.load_checkpoint(tmp_path / "run" / "model.safetensors").model.state_dict()
    given = zspag.load_checkpoint(digits_checkpoint)
    result = zspag.unlearn(given, threes.images, 3, forget=3, seed=4, **FAST)
    assert all(torch.equal(value, made[name]) for name, value in result.model.state_dict().items())
    again = zspag.unlearn(given.model, threes.images.float() / 255, 3, forget=3, seed=4, **FAST)
    assert all(torch.equal(value, made[name]) for name, value in again.model.state_dict().items())


@pytest.mark.slow
def test_graded_as_far_as_images_are_given(reader, threes, small_digits):
    rest, test = small_digits.train.without_classes([3]), small_digits.test
    told = {"retain": (rest.images, rest.labels), "test": TensorDataset(test.images, test.labels)}
    result = zspag.unlearn(
        reader, threes.images, threes.labels, forget=["3"], preprocess=PREPROCESS, relearning=False, **told, **FAST
    )
    before, mask = result.record["before"], result.record["mask"]
    assert before["acc_ut"] == pytest.approx(100 * right(reader, test.of_classes([3])))
    assert before["acc_rt"] == pytest.approx(100 * right(reader, test.without_classes([3])))
    assert mask["acc_rt"] is not None
    assert before["probe"] is not None
    measured = zspag.evaluate(reader, test.images, test.labels, forget=3, preprocess=PREPROCESS, train=told["retain"])
    assert measured["acc_rt"] == pytest.approx(before["acc_rt"])
    assert measured["mask"] == mask


@pytest.mark.slow
def test_a_method_that_needs_remaining_data(reader, threes, small_digits):
    rest = small_digits.train.without_classes([3])
    asked = {"forget": 3, "preprocess": PREPROCESS, "method": "finetune", "epochs": 1, "relearning": False}
    result = zspag.unlearn(reader, threes.images, 3, retain=(rest.images, rest.labels), **asked)
    assert result.record["method"] == "finetune"
    with pytest.raises(ValueError, match="needs training images of every remaining class"):
        zspag.unlearn(reader, threes.images, 3, **asked)


def test_half_precision_comes_back_as_it_was(reader, threes):
    half = copy.deepcopy(reader).to(torch.bfloat16)
    result = zspag.unlearn(half, threes.images, 3, forget=3, preprocess=PREPROCESS, **FAST)
    assert {value.dtype for value in result.model.state_dict().values()} == {torch.bfloat16}


@pytest.mark.slow
def test_class_names(reader, threes):
    names = [f"digit {k}" for k in range(10)]
    asked = {"preprocess": PREPROCESS, "class_names": names, **FAST}
    result = zspag.unlearn(reader, threes.images, "digit 3", forget="digit 3", **asked)
    assert result.record["forget"] == [3]


def test_a_normalisation_that_was_not_told_is_found(reader, threes):
    network = nn.Sequential(Unlike(0.2, 0.1), reader)
    with pytest.raises(ValueError, match="preprocess: with pixels in \\[0, 1\\] the network reads"):
        zspag.unlearn(network, threes.images, 3, forget=3, **FAST)


class Unlike(nn.Module):
    """Takes what was normalised by 0.5 and 0.5, and turns it into what the reader takes."""

    def __init__(self, _mean, _std):
        super().__init__()

    def forward(self, x):
        return ((x * 0.5 + 0.5) - 0.3) / 0.35


BAD = [
    ({"model": "digits_resnet"}, "model: expected an nn.Module or a loaded checkpoint, got str"),
    ({"model": nn.Conv2d(5, 2, 3)}, "model: expected a network for grey (1) or colour (3) images, got 5 channels"),
    ({"forget": 10}, "expected classes 0 to 9, got 10"),
    ({"forget": "cat"}, "has no class 'cat'"),
    ({"forget": [3, 3]}, "expected every class once"),
    ({"forget": [4]}, "has no image of class 4"),
    ({"labels": [3]}, "labels: expected one for each of the"),
    ({"labels": 12}, "labels: expected classes 0 to 9, got 12"),
    ({"labels": None}, "labels: expected one"),
    ({"method": "magic"}, "got 'magic'"),
    ({"epsilonn": 1}, "epsilonn: no such setting"),
    ({"device": "tpu"}, "got 'tpu'"),
    ({"class_names": ["a", "b"]}, "class_names: expected 10 names"),
    ({"class_names": ["a"] * 10}, "class_names: expected every name once, got 'a' twice"),
    ({"normalised": True, "preprocess": {}}, "normalised: expected preprocess with"),
    ({"preprocess": {"size": 4}, "images": torch.zeros(2, 1, 8, 8), "labels": 3}, "image_size: expected 8 to 1024"),
    ({"test": (torch.zeros(2, 1, 9, 9), [3, 3])}, "test: expected 8 pixels a side, as the other images, got 9"),
    ({"retain": (torch.zeros(2, 1, 8, 8), [3])}, "labels of retain: expected one for each of the 2 images, got 1"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("changed", "words"), BAD, ids=[words for _, words in BAD])
def test_a_wrong_argument_is_a_value_error(changed, words, reader, threes):
    asked = {"model": reader, "images": threes.images, "labels": threes.labels, "forget": [3], "preprocess": PREPROCESS}
    with pytest.raises(ValueError, match=r"expected|no such|has no") as refused:
        zspag.unlearn(**(asked | changed))
    assert words in str(refused.value)


def test_our_own_models_prepare_their_images_themselves(digits_model, threes):
    with pytest.raises(ValueError, match="preprocess: expected None"):
        zspag.unlearn(digits_model, threes.images, 3, forget=3, preprocess=PREPROCESS)


@pytest.mark.slow
def test_the_documented_script_runs(tmp_path):
    command = [sys.executable, str(ROOT / "docs" / "unlearn_in_python.py")]
    environment = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PATH": ""}
    made = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    assert made.stdout.splitlines()[0] == "Reader"
    assert "0.0 % of the 3s" in made.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["reader_without_3.pt"]
