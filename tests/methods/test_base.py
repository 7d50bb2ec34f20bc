from __future__ import annotations

import dataclasses
import inspect
import json
import re
import typing

import pytest
import torch

from tests.methods.networks import NETWORKS
from zspag_core.data import Split, to_pixels
from zspag_core.errors import UsageError
from zspag_core.hyperparameters import configure
from zspag_core.methods import (
    METHODS,
    RetainMethod,
    ZeroShotMethod,
    describe_methods,
    find_method,
)
from zspag_core.methods.base import timed
from zspag_core.methods.catalogue import method_entries
from zspag_core.models import build
from zspag_core.runs.context import RunContext

PRESETS = [(key, name) for key, entry in method_entries().items() for name in entry.all_presets]
QUICK = {"epochs": 8, "n_adv": 8, "batch_size": 32, "energy": 0.8, "stop_rule": False}
RIVALS = {
    "retrain": {"epochs": 3},
    "finetune": {"epochs": 2, "learning_rate": 0.01},
    "neggrad": {"epochs": 2, "learning_rate": 0.01, "alpha": 0.9},
    "neggrad_zs": {"epochs": 4, "learning_rate": 0.004},
    "badt": {"epochs": 3, "learning_rate": 0.002},
    "badt_zs": {"epochs": 3, "learning_rate": 0.002},
    "salun": {"epochs": 2, "learning_rate": 0.01},
    "salun_zs": {"epochs": 4, "learning_rate": 0.002},
    "boundary_shrink": {"epochs": 6, "learning_rate": 1e-3},
    "gkt": {"epochs": 2, "batches": 2},
    "delete": {"epochs": 8},
    "jit": {"epochs": 2, "copies": 8, "batch_size": 32, "learning_rate": 3e-5},
    "scrub": {"epochs": 2, "max_epochs": 1},
    "ssd": {"alpha": 2.0},
    "mu_mis": {"epochs": 10},
    "spotter": {"epochs": 4, "learning_rate": 1e-3},
    "ispf": {"epochs": 1, "rounds": 2, "batch_size": 32},
    "fisher": {"fisher_images": 64},
    "cola": {"epochs": 5, "collapse_epochs": 3, "collapse_rate": 0.05, "learning_rate": 0.01},
    "erase": {
        "images": 90,
        "synthesis_steps": 8,
        "passes": 4,
        "learning_rate": 1e-3,
        "crop": 0,
        "flip": "no",
        "cutout": 0,
    },
}

UNDECIDED = {"scrub"}
"""Methods whose outcome on digits is decided by rounding: SCRUB climbs from a point without a slope, hence along it."""


def quick(method):
    known = {field.name for field in dataclasses.fields(method)}
    settings = RIVALS.get(method.name) or {name: value for name, value in QUICK.items() if name in known}
    return configure(method, settings)


def test_names_are_different_and_found():
    names = [method.name for method in METHODS]
    assert len(set(names)) == len(names)
    assert all(find_method(method.name) is method for method in METHODS)
    assert {"zspag", "retrain", "mask", "posterior", "finetune_zs"} <= set(names)
    with pytest.raises(UsageError, match=r"method: expected one of zspag, .*, got 'zs'"):
        find_method("zs")


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_a_method_is_a_frozen_dataclass_of_checked_knobs(method):
    assert dataclasses.is_dataclass(method)
    with pytest.raises(dataclasses.FrozenInstanceError):
        method().anything = 1
    assert configure(method, {row["name"]: row["default"] for row in next(
        m["parameters"] for m in describe_methods() if m["name"] == method.name)}) == method()  # fmt: skip
    assert all("schema" in field.metadata for field in dataclasses.fields(method))


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_the_zero_shot_fence_is_in_the_signature(method):
    """A zero-shot method takes the model, one split, classes, a context, and nothing that grows.

    The stage cache of the context brings back only what the method itself has kept: grades are kept in another room.
    """
    parameters = inspect.signature(method.unlearn).parameters
    assert not any(p.kind in {p.VAR_POSITIONAL, p.VAR_KEYWORD} for p in parameters.values())
    zero_shot = ["self", "model", "forget", "classes", "context"]
    if method.needs_retain:
        assert issubclass(method, RetainMethod)
        assert not issubclass(method, ZeroShotMethod)
        assert list(parameters) == ["self", "model", "forget", "retain", "classes", "context"]
        return
    assert issubclass(method, ZeroShotMethod)
    assert list(parameters) == zero_shot
    fields = typing.get_type_hints(method)
    assert all(fields[field.name] in {int, float, bool, str} for field in dataclasses.fields(method))


def test_the_description_is_the_contracts():
    described = json.loads(json.dumps(describe_methods()))
    assert [row["name"] for row in described] == [method.name for method in METHODS]
    for row in described:
        assert set(row) == {"name", "title", "needs_retain", "parameters"}
        for parameter in row["parameters"]:
            assert set(parameter) == {"name", "type", "default", "min", "max", "choices", "unit", "help"}
            assert parameter["type"] in {"int", "float", "bool", "str"}
            assert re.fullmatch(r"[a-z][a-z0-9_]*", parameter["name"])


@pytest.mark.parametrize(("method", "name"), PRESETS)
def test_presets_are_settings_that_the_method_accepts(method, name):
    settings = method_entries()[method].all_presets[name]
    configured = configure(find_method(method), settings)
    assert all(getattr(configured, key) == value for key, value in settings.items())


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
@pytest.mark.parametrize("classes", [(3,), (0, 7)], ids=str)
def test_every_method_forgets_on_real_digits(method, classes, digits_model, small_digits, state_of, assert_untouched):
    before = state_of(digits_model)
    global_state = torch.get_rng_state()
    forget = small_digits.train.of_classes(classes)
    data = [forget]
    if method.needs_retain:
        data.append(small_digits.train.without_classes(classes))
    found = quick(method).unlearn(digits_model, *data, classes, RunContext(torch.Generator().manual_seed(0)))
    assert_untouched(digits_model, before)
    assert torch.equal(torch.get_rng_state(), global_state)
    assert found.model is not digits_model
    assert not found.model.training
    assert found.stopped in {"epochs", "rule"}
    assert found.seconds["unlearn"] > 0
    assert set(found.seconds) <= {"proxies", "labels", "subspace", "unlearn"}
    assert all(row["epoch"] == number for number, row in enumerate(found.history, start=1))

    def share(model, split: Split) -> float:
        with torch.no_grad():
            return 100 * float((model(to_pixels(split.images)).argmax(1) == split.labels).float().mean())

    gone = small_digits.test.of_classes(classes)
    assert method.name in UNDECIDED or share(found.model, gone) < share(digits_model, gone) - 30


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
def test_every_method_gives_equal_bytes_for_equal_seeds(method, digits_model, small_digits):
    known = {field.name for field in dataclasses.fields(method)}
    least = {"epochs": 1, "batches": 1, "rounds": 1, "n_adv": 4, "images": 30, "passes": 1}
    short = dataclasses.replace(quick(method), **{name: value for name, value in least.items() if name in known})
    forget, retain = small_digits.train.of_classes((0, 7)), small_digits.train.without_classes((0, 7))
    few = torch.arange(120)
    data = [forget[few], retain[few]] if method.needs_retain else [forget[few]]
    one, two = (
        short.unlearn(digits_model, *data, (0, 7), RunContext(torch.Generator().manual_seed(0))).model for _ in range(2)
    )
    for name, value in one.state_dict().items():
        assert torch.equal(two.state_dict()[name], value), name


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", ["boundary_shrink", "fisher", "gkt", "ispf", "pour_p", "ssd"])
def test_every_architecture_can_forget(name, network):
    """The same bytes for the same seed, and numbers as outputs."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build(NETWORKS[network]).eval()
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (12, 1, 8, 8), generator=generator, dtype=torch.uint8)
    forget, retain = Split(images[:4], torch.full((4,), 3)), Split(images[4:], torch.arange(8) % 3)
    settings = {
        "gkt": {"epochs": 1, "batches": 2, "batch_size": 8, "student_steps": 2, "gate": 0.9},
        "ispf": {"epochs": 1, "rounds": 1, "batch_size": 8, "student_steps": 2, "warmup": 0},
        "ssd": {"alpha": 0.1},
    }.get(name, {})
    method = configure(find_method(name), settings)
    data = [forget, retain] if method.needs_retain else [forget]
    one, two = (
        method.unlearn(model, *data, (3,), RunContext(torch.Generator().manual_seed(0))).model for _ in range(2)
    )
    with torch.no_grad():
        assert bool(one(to_pixels(images)).isfinite().all())
    assert all(torch.equal(two.state_dict()[key], value) for key, value in one.state_dict().items())
    assert any(not torch.equal(model.state_dict()[key], value) for key, value in one.state_dict().items())


def test_time_adds_up_also_after_an_error():
    seconds = {"a": 100.0}
    with pytest.raises(RuntimeError), timed(seconds, "a"):
        raise RuntimeError
    with timed(seconds, "b"):
        pass
    assert 100.0 < seconds["a"] < 101.0
    assert 0 <= seconds["b"] < 1
