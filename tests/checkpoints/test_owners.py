from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torchvision.models import get_model

from zspag_core.checkpoints import load_checkpoint, save_checkpoint
from zspag_core.checkpoints.owners import about_of, owner_record, owners_file, with_origin
from zspag_core.errors import UsageError
from zspag_core.safety import refuse_code

MODEL = "torchvision:squeezenet1_1"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A state_dict of torchvision's in half precision beside other things, and the checkpoint of ours made of it."""
    folder = tmp_path_factory.mktemp("owners")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = get_model("squeezenet1_1", weights=None, num_classes=3).half()
    torch.save({"state_dict": network.state_dict(), "epoch": 3}, folder / "owner.pth.tar")
    loaded = load_checkpoint(folder / "owner.pth.tar", model=MODEL, image_size=64)
    record = owner_record(folder / "owner.pth.tar", loaded, MODEL, None)
    save_checkpoint(folder / "made.safetensors", loaded.model, loaded.about | {"owner": record})
    return folder / "made.safetensors"


def changed(made, tmp_path, **owner):
    """Return a copy of both files in which the record of the owner's says something else."""
    loaded = load_checkpoint(made)
    original = made.with_name("owner.pth.tar")
    (tmp_path / original.name).write_bytes(original.read_bytes())
    save_checkpoint(
        tmp_path / "made.safetensors", loaded.model, loaded.about | {"owner": loaded.about["owner"] | owner}
    )
    return tmp_path / "made.safetensors"


@pytest.mark.slow
def test_the_model_goes_back_in_its_owners_container(made, tmp_path):
    checkpoint = with_origin(load_checkpoint(made), made)
    path = checkpoint.origin.write(tmp_path, "unlearned", checkpoint.model)
    assert path.name == "unlearned.pth.tar"
    back, owners = (torch.load(file, weights_only=True) for file in (path, made.with_name("owner.pth.tar")))
    assert back["epoch"] == 3
    assert list(back["state_dict"]) == list(owners["state_dict"])
    for name, tensor in owners["state_dict"].items():
        assert back["state_dict"][name].dtype == torch.float16
        assert torch.equal(back["state_dict"][name], tensor)
    get_model("squeezenet1_1", weights=None, num_classes=3).load_state_dict(back["state_dict"], strict=True)


def test_what_never_had_an_owner_or_knows_it_stays_as_it_is(made, digits_checkpoint):
    ours = load_checkpoint(digits_checkpoint)
    assert with_origin(ours, digits_checkpoint) is ours
    direct = load_checkpoint(made.with_name("owner.pth.tar"), model=MODEL, image_size=64)
    assert with_origin(direct, made) is direct


@pytest.mark.slow
@pytest.mark.parametrize(
    "owner",
    [
        {"file": "gone.pt"},
        {"file": "../owner.pth.tar"},
        {"file": ".."},
        {"file": None},
        {"sha256": "0" * 64},
        {"model": "torchvision:resnet18"},
        {"model": "python:net.py:make"},
        {"entry": "ema"},
    ],
)
def test_an_owners_file_that_is_gone_or_another_one_is_noted_and_not_used(made, tmp_path, owner):
    path = changed(made, tmp_path, **owner)
    checkpoint = with_origin(load_checkpoint(path), path)
    assert checkpoint.origin is None
    assert "the owner's file is gone" in checkpoint.notes[-1]


def test_no_code_is_run_on_a_files_word(made, tmp_path):
    (tmp_path / "net.py").write_text("open('harmed', 'w')")
    path = changed(made, tmp_path, model=f"python:{tmp_path / 'net.py'}:make")
    with_origin(load_checkpoint(path), path)
    assert not Path("harmed").exists()
    assert not (tmp_path / "harmed").exists()


def test_about_is_read_without_weights_and_never_of_other_files(made, tmp_path):
    assert about_of(made)["owner"]["file"] == "owner.pth.tar"
    assert owners_file(made, about_of(made)) == made.with_name("owner.pth.tar")
    assert about_of(made.with_name("owner.pth.tar")) == {}
    assert about_of(tmp_path / "nothing.safetensors") == {}


@pytest.mark.parametrize("source", ["python:a.py:b", " Python:a.py:b"])
def test_a_source_that_is_code_is_refused(source):
    with pytest.raises(UsageError, match="command line and from Python only"):
        refuse_code(source)


@pytest.mark.parametrize("source", [None, "", "timm:resnet18", "pythonic:a"])
def test_other_sources_are_not(source):
    refuse_code(source)
