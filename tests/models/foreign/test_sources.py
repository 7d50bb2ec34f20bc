"""Networks by name: what a library has, what a file may not tell its builder, what an owner's code says."""

from textwrap import dedent

import pytest
import torch

from zspag_core.errors import CheckpointError, UsageError
from zspag_core.models.foreign.config import ForeignConfig, parse_source
from zspag_core.models.foreign.sources import build_network, python_network


@pytest.mark.parametrize("source", ["resnet18", "torchvision:", ":x", "http://x", "pickle:x"])
def test_other_forms_of_a_source_are_refused(source):
    with pytest.raises(UsageError, match="expected torchvision:NAME"):
        parse_source(source)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("torchvision:resnet19", "no classifier 'resnet19'; did you mean"),
        ("torchvision:fcn_resnet50", "no classifier"),
        ("timm:resnet18dd", "did you mean resnet18d"),
        ("timm:hf-hub:timm/resnet18.a1_in1k", "no network"),
        ("timm:hf_hub:timm/resnet18", "no network"),
        ("python:mine.py:Net", "never run on a file's word"),
        ("module:Net", "never run on a file's word"),
    ],
)
def test_networks_that_are_not_there_are_refused(source, said):
    with pytest.raises(UsageError, match=said):
        build_network(ForeignConfig(source=source))


def test_a_file_cannot_make_a_builder_read_other_files(monkeypatch, tmp_path):
    def refuse(*_args, **_kwargs):
        raise AssertionError("read another file")

    monkeypatch.setattr(torch, "load", refuse)
    told = {"pretrained": True, "checkpoint_path": str(tmp_path / "evil.pth"), "pretrained_cfg": {"url": "http://x"}}
    network = build_network(ForeignConfig(source="timm:resnet10t", num_classes=4, arguments=told))
    assert network.get_classifier().out_features == 4


def test_arguments_that_build_nothing_are_one_sentence():
    with pytest.raises(CheckpointError, match="builds no network"):
        build_network(ForeignConfig(source="timm:resnet10t", arguments={"no_such_option": 3}))


@pytest.mark.slow
def test_what_a_library_checks_by_errors_of_its_own_is_one_sentence():
    pytest.importorskip("transformers")
    told = {"model_type": "vit", "hidden_size": float("inf")}
    with pytest.raises(CheckpointError, match=r"Validation error for field .hidden_size.: TypeError: .*expected int"):
        build_network(ForeignConfig(source="hf:folder", num_classes=3, arguments=told))


def test_building_disturbs_nobodys_random_numbers():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    build_network(ForeignConfig(source="torchvision:squeezenet1_1", num_classes=3))
    assert torch.equal(torch.rand(2), expected)


def _file(tmp_path, code):
    path = tmp_path / "mine.py"
    path.write_text(dedent(code))
    return path


def test_an_owners_class_is_called(tmp_path):
    path = _file(
        tmp_path,
        """
        from torch import nn

        class Net(nn.Sequential):
            def __init__(self, num_classes=3):
                super().__init__(nn.Flatten(), nn.Linear(12, num_classes))

        ready = Net(7)
        """,
    )
    network, taken = python_network(f"{path}:Net")
    assert network[1].out_features == 3
    assert taken == {}
    network, taken = python_network(f"{path}:Net", {"num_classes": 5, "learning_rate": 0.1})
    assert network[1].out_features == 5
    assert taken == {"num_classes": 5}
    network, taken = python_network(f"{path}:ready", {"num_classes": 5})
    assert network[1].out_features == 7
    assert taken == {}


@pytest.mark.parametrize(
    ("code", "called", "said"),
    [
        ("x = 1\ny = 1 / 0\n", "x", "line 2: ZeroDivisionError"),
        ("def make():\n    return 3\n", "make", "return an nn.Module, got int"),
        ("def make():\n    raise RuntimeError('no such width')\n", "make", "line 2: RuntimeError: no such width"),
        ("x = 1\n", "missing", "defines no 'missing'"),
        ("def make(:\n", "make", "SyntaxError"),
    ],
)
def test_faults_of_an_owners_code_are_one_sentence(tmp_path, code, called, said):
    with pytest.raises(UsageError, match=said):
        python_network(f"{_file(tmp_path, code)}:{called}")


def test_an_owners_file_must_be_there(tmp_path):
    with pytest.raises(UsageError, match="with a file that exists"):
        python_network(f"{tmp_path}/none.py:Net")
