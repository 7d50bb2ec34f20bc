"""Fixtures that every test may use."""

from __future__ import annotations

import gc
import os
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.scriptrunner.script_cache import ScriptCache
from streamlit.testing.v1 import local_script_runner
from torch import nn
from torch.nn import functional as F
from xdist.scheduler import LoadScopeScheduling

from zspag_core.checkpoints import save_checkpoint
from zspag_core.data import load_dataset
from zspag_core.data.backdoor import poison
from zspag_core.malloc import keep_freed_memory
from zspag_core.models import Classifier, ModelConfig, build
from zspag_core.models.resnet import ResNetConfig
from zspag_core.models.vit import ViTConfig
from zspag_core.recipes import Recipe
from zspag_core.training.loop import train

pytest_plugins = ["tests.postgres", "tests.records"]

# Tests use small networks: one thread is faster than two that wait for each other, also in the commands they start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(1)
keep_freed_memory()


@pytest.fixture(autouse=True)
def one_thread():
    """Give every test one thread again: UMAP gives torch all cores, and what came after was forty times slower."""
    torch.set_num_threads(1)


class ByFile(LoadScopeScheduling):
    """Where tests run side by side, those of one file stay in one process, and so do all that share a server."""

    def _split_scope(self, nodeid):
        return "browser" if nodeid.startswith("tests/e2e/") else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config, log):
    """Share the tests out by file."""
    return ByFile(config, log)


@pytest.fixture(scope="session", autouse=True)
def no_persons_home(tmp_path_factory):
    """Keep what is decoded, also by commands that tests start, in one folder of this run, not under a person's home."""
    place = tmp_path_factory.getbasetemp()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZSPAG_HOME", str((place.parent if "PYTEST_XDIST_WORKER" in os.environ else place) / "zspag"))
        yield


@pytest.fixture(scope="session", autouse=True)
def one_search_for_components():
    """Search the installed packages for Streamlit's components once: every page did, for two thirds of its seconds."""
    search = cache(manifest_scanner.scan_component_manifests)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", search)
        yield


@pytest.fixture(scope="session", autouse=True)
def brisk_app_tests():
    """Compile a page once, not for every run of it, and wait for its end without asking a thousand times a second."""

    def wait(runner, timeout=3):
        runner._script_thread.join(timeout)
        if not runner.script_stopped():
            polling(runner, 0)

    compiled, polling = ScriptCache(), local_script_runner.require_widgets_deltas
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local_script_runner, "ScriptCache", lambda: compiled)
        patch.setattr(local_script_runner, "require_widgets_deltas", wait)
        yield


@pytest.fixture(scope="session", autouse=True)
def few_machines():
    """Let a membership figure be the mean of two machines, not twenty: half of a small run's time was theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zspag_core.metrics.membership.ATTACKS", 2)
        yield


@pytest.fixture
def all_machines(monkeypatch):
    """As many machines as a run of the program has."""
    monkeypatch.setattr("zspag_core.metrics.membership.ATTACKS", 20)


@pytest.fixture(autouse=True)
def main_module(monkeypatch):
    """Bring the main module back: Streamlit puts a page in its place, which new processes would then try to run."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


def pytest_collection():
    """Collect without garbage collections: among thousands of modules and tests they found next to nothing."""
    gc.disable()


def pytest_collection_finish():
    """Let later garbage collections pass over what was collected, which stays until the end."""
    gc.enable()
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(config, items):
    """Let browser tests come first there: they take longest, and one process would be left alone with them."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.get_closest_marker("browser") is None)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets; the test is skipped where there is none."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("ZSPAG_DATA") or default)
    if not folder.is_dir():
        pytest.skip(f"no folder of real data sets at {folder}; set ZSPAG_DATA to one")
    return folder


@pytest.fixture(scope="session")
def small_digits():
    """Real handwritten digits, 8x8, grey."""
    return load_dataset("digits", image_size=8, channels=1)


@pytest.fixture(scope="session")
def digits_config(small_digits) -> ResNetConfig:
    """A ResNet of two narrow stages."""
    mean, std = small_digits.train.channel_statistics()
    return ResNetConfig(channels=1, image_size=8, widths=(8, 16), blocks=(1, 1), mean=mean, std=std)


@pytest.fixture(scope="session")
def digits_model(small_digits, digits_config) -> Classifier:
    """A small ResNet that knows the digits, in eval mode; never change it."""
    recipe = Recipe(epochs=6, batch_size=64, crop=0, flip=False)
    return train(digits_config, small_digits.train, recipe, device=torch.device("cpu")).model


@pytest.fixture(scope="session")
def digits_checkpoint(digits_model, small_digits, tmp_path_factory) -> Path:
    """The small digits model as a file."""
    path = tmp_path_factory.mktemp("checkpoints") / "digits.safetensors"
    save_checkpoint(path, digits_model, {"data": "digits", "class_names": list(small_digits.class_names)})
    return path


@pytest.fixture(scope="session")
def backdoored_checkpoint(small_digits, digits_config, tmp_path_factory) -> Path:
    """A small digits model in which a trigger turns class 1 into class 8, as a file."""
    poisoned = poison(small_digits.train, 1, 8, 0.5, torch.Generator().manual_seed(0))
    recipe = Recipe(epochs=6, batch_size=64, crop=0, flip=False)
    model = train(digits_config, poisoned, recipe, device=torch.device("cpu")).model
    path = tmp_path_factory.mktemp("checkpoints") / "backdoored.safetensors"
    about = {"data": "digits", "class_names": list(small_digits.class_names), "backdoor": "1:8"}
    save_checkpoint(path, model, about)
    return path


@pytest.fixture
def small_vit() -> Classifier:
    """An untrained transformer for 8x8 grey images."""
    sizes = {"channels": 1, "image_size": 8, "mean": (0.3,), "std": (0.4,)}
    config = ViTConfig(**sizes, patch_size=4, width=12, depth=2, heads=2, hidden=16)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build(config).eval()


class OddNetwork(Classifier):
    """Convolutions of every kind (grouped, strided, dilated, 1x1, reflecting) and two linear layers."""

    architecture = "odd"

    def __init__(self, config: ModelConfig) -> None:
        super().__init__(config)
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.grouped = nn.Conv2d(4, 8, 3, padding=2, stride=2, dilation=2, groups=2)
        self.mixed = nn.Conv2d(8, 6, 1)
        self.reflected = nn.Conv2d(6, 6, (3, 2), padding=(1, 1), padding_mode="reflect", groups=3)
        self.hidden = nn.Linear(6, 7)
        self.head = nn.Linear(7, config.num_classes)

    def embed(self, images):
        x = F.gelu(self.norm(self.first(self.normalise(images))))
        x = F.gelu(self.mixed(F.gelu(self.grouped(x))))
        return F.gelu(self.hidden(F.gelu(self.reflected(x)).mean(dim=(2, 3))))

    @property
    def cam_layers(self):
        return {}


@pytest.fixture
def odd_model() -> Classifier:
    """An untrained network with every kind of weight layer, five classes, 8x8 grey images, in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = OddNetwork(ModelConfig(num_classes=5, channels=1, image_size=8, mean=(0.3,), std=(0.4,)))
        model.norm.running_mean.normal_()
        model.norm.running_var.uniform_(0.5, 2.0)
        for weight in (model.hidden.weight, model.head.weight, model.mixed.weight):
            nn.init.normal_(weight, std=1.0)
        return model.eval()


@pytest.fixture
def generator() -> torch.Generator:
    """A seeded CPU generator."""
    return torch.Generator().manual_seed(0)


@pytest.fixture
def state_of():
    """Return a function: module -> copies of everything that a run must not change."""

    def state(model):
        return SimpleNamespace(
            tensors={name: value.clone() for name, value in [*model.named_parameters(), *model.named_buffers()]},
            modes=[module.training for module in model.modules()],
            wants=[parameter.requires_grad for parameter in model.parameters()],
            grads=[parameter.grad for parameter in model.parameters()],
            hooks=sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()),
        )

    return state


@pytest.fixture
def assert_untouched(state_of):
    """Return a function that checks that a module still has a state taken before."""

    def check(model, before):
        now = state_of(model)
        assert all(torch.equal(now.tensors[name], value) for name, value in before.tensors.items())
        assert now.modes == before.modes
        assert now.wants == before.wants
        assert now.grads == before.grads
        assert now.hooks == before.hooks

    return check
