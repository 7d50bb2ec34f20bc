from __future__ import annotations

import json
import zipfile

import numpy as np
import pytest
import timm
import torch

from tests.asking import job_for
from zspag_core.checkpoints import load_checkpoint
from zspag_core.errors import CheckpointError, UsageError
from zspag_core.models import build
from zspag_core.progress import SILENT
from zspag_core.runs.config import RunConfig
from zspag_core.runs.prepare import prepare
from zspag_core.tasks.import_weights import import_weights
from zspag_core.tasks.inspect_model import inspect_model, try_assumptions
from zspag_core.tasks.table import find_task

SOURCE = "timm:test_resnet"


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return timm.create_model("test_resnet", num_classes=10)


@pytest.fixture
def weights(network, tmp_path):
    torch.save(network.state_dict(), tmp_path / "net.ckpt")
    return tmp_path / "net.ckpt"


@pytest.fixture
def bare_digits(digits_model, tmp_path):
    """The small digits model as its owner has it: a bare state_dict."""
    torch.save(digits_model.state_dict(), tmp_path / "bare.pt")
    return tmp_path / "bare.pt"


def test_weights_of_an_unnamed_network_ask_for_its_name(weights):
    answer = inspect_model(job_for({"checkpoint": str(weights)}))
    assert answer["asks"] == "network"
    assert isinstance(answer["networks"], list)
    json.dumps(answer)


def test_named_network_says_what_else_is_open(weights):
    made = import_weights(job_for({"checkpoint": str(weights), "model": SOURCE, "told": {"image_size": 32}}))[
        "checkpoint"
    ]
    answer = inspect_model(job_for({"checkpoint": made}))
    assert (answer["asks"], answer["network"], answer["foreign"]) == ("", SOURCE, True)
    assert answer["open"]["image_size"] == 32
    assert "image_size" not in answer["assumed"]
    assert {"mean", "std", "interpolation"} <= set(answer["assumed"])
    json.dumps(answer)


@pytest.mark.slow
def test_network_and_entry_are_remembered_when_more_is_told(weights, network, tmp_path):
    own = network.state_dict()
    other = {name: tensor + 1 if tensor.is_floating_point() else tensor for name, tensor in own.items()}
    torch.save({"student": own, "teacher": other}, tmp_path / "two.pt")
    two = str(tmp_path / "two.pt")
    answer = inspect_model(job_for({"checkpoint": two}))
    assert (answer["asks"], answer["entries"]) == ("entry", ["student", "teacher"])
    assert inspect_model(job_for({"checkpoint": two, "entry": "teacher"}))["asks"] == "network"
    first = import_weights(
        job_for({"checkpoint": two, "model": SOURCE, "entry": "teacher", "told": {"image_size": 32}})
    )["checkpoint"]
    again = load_checkpoint(
        import_weights(job_for({"checkpoint": first, "told": {"mean": [0.5] * 3, "std": [0.5] * 3}}))["checkpoint"]
    )
    assert torch.equal(again.model.network.state_dict()["conv1.0.weight"], other["conv1.0.weight"])
    assert again.about["owner"]["entry"] == "teacher"
    assert again.about["told"]["image_size"] == 32


def test_what_is_no_file_of_weights_fails_in_a_sentence(tmp_path):
    (tmp_path / "page.ckpt").write_text("<!DOCTYPE html>")
    with pytest.raises(CheckpointError, match="a web page instead of the file"):
        inspect_model(job_for({"checkpoint": str(tmp_path / "page.ckpt")}))


def zipped_folder(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return str(path)


@pytest.mark.slow
@pytest.mark.parametrize("top", ["", "my model/"])
def test_a_zipped_model_folder_is_unpacked_without_code(network, tmp_path, top):
    torch.save(network.state_dict(), tmp_path / "w.bin")
    config = {"architecture": "test_resnet", "num_classes": 10, "pretrained_cfg": {"input_size": [3, 32, 32]}}
    members = {f"{top}config.json": json.dumps(config), f"{top}pytorch_model.bin": (tmp_path / "w.bin").read_bytes()}
    path = zipped_folder(tmp_path / "up.zip", members | {f"{top}net.py": "print()", f"{top}deeper/x.json": "{}"})
    folder = inspect_model(job_for({"checkpoint": path}))["unpacked"]
    assert sorted(p.name for p in (tmp_path / "up.model").iterdir()) == ["config.json", "pytorch_model.bin"]
    answer = inspect_model(job_for({"checkpoint": folder}))
    assert (answer["network"], answer["open"]["image_size"], answer["asks"]) == (SOURCE, 32, "")
    assert inspect_model(job_for({"checkpoint": path}))["unpacked"] == folder, "the second time it is there already"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"config.json": "{}", "../evil.json": "{}"}, "leaves its folder"),
        ({"config.json": "{}", "big.bin": bytes(70_000_000)}, "as a zip bomb does"),
    ],
)
def test_a_harmful_archive_is_refused_and_nothing_stays(tmp_path, members, sentence):
    path = tmp_path / "up.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(CheckpointError, match=sentence):
        inspect_model(job_for({"checkpoint": str(path)}))
    assert [p.name for p in tmp_path.iterdir()] == ["up.zip"]


def test_readings_and_orders_are_tried_with_figures(bare_digits, digits_model):
    told = {"image_size": 8, "mean": list(digits_model.config.mean), "std": list(digits_model.config.std)}
    made = import_weights(job_for({"checkpoint": str(bare_digits), "told": told}))["checkpoint"]
    answer = try_assumptions(job_for({"checkpoint": made, "data": "digits"}))
    assert [one["words"] for one in answer["readings"]] == ["as told"]
    assert not answer["misread"]
    assert answer["order"]["taken"] > 90
    assert not answer["order"]["misnumbered"]
    assert [one[0] for one in answer["order"]["said"]] == [str(k) for k in range(10)]
    json.dumps(answer)


@pytest.mark.slow
def test_another_order_is_found_chosen_and_then_kept_by_the_run(bare_digits, digits_model):
    told = {"image_size": 8, "mean": list(digits_model.config.mean), "std": list(digits_model.config.std)}
    wrong = [str(k) for k in (1, 0, 3, 2, 5, 4, 7, 6, 9, 8)]
    made = import_weights(job_for({"checkpoint": str(bare_digits), "told": told, "class_names": wrong}))["checkpoint"]
    order = try_assumptions(job_for({"checkpoint": made, "data": "digits"}))["order"]
    assert order["misnumbered"]
    with pytest.raises(UsageError, match="the order of the classes looks wrong"):
        prepare(RunConfig("digits", made, ("name:3",), device="cpu"))
    offers = {offer["order"]: offer["names"] for offer in order["offers"]}
    assert offers["given"] == wrong
    right = [name for name in offers.values() if name == [str(k) for k in range(10)]]
    assert right
    chosen = import_weights(job_for({"checkpoint": made, "told": {}, "class_names": right[0], "order": "matched"}))[
        "checkpoint"
    ]
    prepared = prepare(RunConfig("digits", chosen, ("name:3",), device="cpu"))
    assert (prepared.config.forget, prepared.dataset.class_names) == ((right[0].index("3"),), tuple(right[0]))
    assert prepared.checkpoint.origin is not None, "it goes back as it came"
    again = import_weights(job_for({"checkpoint": made, "told": {}, "class_names": wrong, "order": "natural"}))[
        "checkpoint"
    ]
    assert try_assumptions(job_for({"checkpoint": again, "data": "digits"}))["order"]["misnumbered"], "as the run says"
    kept = import_weights(job_for({"checkpoint": made, "told": {}, "class_names": wrong, "order": "given"}))[
        "checkpoint"
    ]
    assert prepare(RunConfig("digits", kept, ("name:3",), device="cpu")).dataset.class_names == tuple(wrong)
    order = try_assumptions(job_for({"checkpoint": kept, "data": "digits"}))["order"]
    assert (order["misnumbered"], order["kept_against"]) == (False, True)


@pytest.mark.parametrize(
    "kind", ["unlearn", "adopt", "inspect_data", "inspect_model", "preview", "train", "model_report"]
)
def test_no_task_takes_an_owners_code(store, kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text("open('harmed', 'w')")
    config = {"checkpoint": "a.pt", "data": "digits", "forget": [3], "model": "python:net.py:make"}
    with pytest.raises(UsageError, match="command line and from Python only"):
        find_task(kind)(store.submit(kind, config), SILENT)
    assert not (tmp_path / "harmed").exists()


def test_a_header_that_names_code_runs_none(tmp_path, digits_config, monkeypatch):
    from zspag_core.checkpoints import save_checkpoint

    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text("open('harmed', 'w')")
    path = tmp_path / "evil.safetensors"
    owner = {"file": "net.py", "sha256": "", "model": "python:net.py:make", "entry": None}
    save_checkpoint(path, build(digits_config), {"owner": owner})
    answer = inspect_model(job_for({"checkpoint": str(path)}))
    assert answer["asks"] == ""
    import_weights(job_for({"checkpoint": str(path), "told": {}}))
    assert not (tmp_path / "harmed").exists()


def written(path, digits, change=lambda image: image, classes=range(10)):
    """Write some of the digits' training images as they are after a change; return the file's path."""
    some = digits.train.of_classes(list(classes))
    np.savez(path, x=change(some.images[:, 0]).numpy(), y=some.labels.numpy())
    return str(path)


@pytest.mark.slow
def test_images_that_look_altered_are_told_until_they_are_kept(bare_digits, digits_model, small_digits, tmp_path):
    told = {"image_size": 8, "mean": list(digits_model.config.mean), "std": list(digits_model.config.std)}
    made = import_weights(job_for({"checkpoint": str(bare_digits), "told": told}))["checkpoint"]
    data = written(tmp_path / "negatives.npz", small_digits, lambda images: 255 - images)
    answer = try_assumptions(job_for({"checkpoint": made, "data": data}))
    assert "with light and dark exchanged" in answer["altered"]
    assert "--order" not in answer["altered"]
    names = next(offer["names"] for offer in answer["order"]["offers"] if offer["order"] == "given")
    kept = import_weights(job_for({"checkpoint": made, "told": {}, "class_names": names, "order": "given"}))
    answer = try_assumptions(job_for({"checkpoint": kept["checkpoint"], "data": data}))
    assert answer["altered"] is None
    assert "with light and dark exchanged" in answer["notes"][0]


def test_images_of_one_class_that_are_altered_are_told_with_figures(bare_digits, digits_model, small_digits, tmp_path):
    told = {"image_size": 8, "mean": list(digits_model.config.mean), "std": list(digits_model.config.std)}
    made = import_weights(job_for({"checkpoint": str(bare_digits), "told": told}))["checkpoint"]
    data = written(tmp_path / "fours.npz", small_digits, lambda images: 255 - images, classes=[4])
    order = try_assumptions(job_for({"checkpoint": made, "data": data}))["order"]
    assert order["misnumbered"]
    assert "; with light and dark exchanged it reads " in order["one_class"]
    with pytest.raises(UsageError, match="; with light and dark exchanged it reads "):
        prepare(RunConfig(data, made, ("name:4",), device="cpu"))


def test_images_of_one_class_are_asked_by_what_batch_norm_remembers(bare_digits, small_digits, tmp_path):
    made = import_weights(job_for({"checkpoint": str(bare_digits), "told": {"image_size": 8}}))["checkpoint"]
    data = written(tmp_path / "threes.npz", small_digits, classes=[3])
    answer = try_assumptions(job_for({"checkpoint": made, "data": data}))
    assert answer["readings"] == []
    assert set(answer["strange"]["fields"]) == {"mean", "std"}
    assert "BatchNorm remembers" in answer["strange"]["sentence"]
    assert "--mean" not in answer["strange"]["sentence"]
    json.dumps(answer)
    told = answer["strange"]["fields"]
    again = import_weights(job_for({"checkpoint": made, "told": told}))["checkpoint"]
    assert try_assumptions(job_for({"checkpoint": again, "data": data}))["strange"] is None
