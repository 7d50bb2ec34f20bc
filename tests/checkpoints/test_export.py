"""What is taken in comes back: the owner's library loads the written file, strictly, with the new weights."""

from __future__ import annotations

import argparse
import hashlib
import json
import pathlib
import warnings
from collections import OrderedDict

import numpy as np
import pytest
import torch
import torchvision
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from zspag_core.checkpoints.contents import read_contents


def _network():
    """A small torchvision network with BatchNorm, shared by the tests."""
    torch.manual_seed(0)
    return torchvision.models.shufflenet_v2_x0_5(weights=None, num_classes=3).eval()


@pytest.fixture(scope="module")
def network():
    return _network()


@pytest.fixture(scope="module")
def state(network):
    return network.state_dict()


def _changed(weights):
    """Other values of the same shapes, as float32, as the engine gives them."""
    generator = torch.Generator().manual_seed(1)
    return {
        name: (tensor.float() + torch.rand(tensor.shape, generator=generator) if tensor.is_floating_point() else tensor)
        for name, tensor in weights.items()
    }


def _back(path, tmp_path, *, entry=None):
    """Read a file, change its weights, write it; return the path and the weights that it must hold."""
    contents = read_contents(path, 100, entry=entry)
    weights = _changed(contents.weights)
    return contents.container.write(tmp_path / "out", "unlearned", weights), weights


def _saved(payload, path, **options):
    torch.save(payload, path, **options)
    return path


def _same(state, weights):
    assert list(state) == list(weights)
    assert all(torch.equal(state[name], weights[name].to(state[name].dtype)) for name in state)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["net.pth", "net.pt", "net.pth.tar", "pytorch_model.bin", "last.ckpt", "net.th"])
def test_torchvision_loads_what_it_gave_under_every_ending(name, state, tmp_path):
    written, weights = _back(_saved(state, tmp_path / name), tmp_path)
    assert written.name == "unlearned" + name.removeprefix(name.split(".")[0])
    loaded = torch.load(written, weights_only=True)
    fresh = _network()
    fresh.load_state_dict(loaded, strict=True)
    _same(fresh.state_dict(), weights)


def test_order_class_and_metadata_of_a_state_dict_stay(state, tmp_path):
    written, _ = _back(_saved(state, tmp_path / "net.pth"), tmp_path)
    loaded = torch.load(written, weights_only=True)
    assert type(loaded) is OrderedDict
    assert list(loaded) == list(state)
    assert loaded._metadata == state._metadata


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "_orig_mod.module.", "model.", "net.", "module.model."])
def test_prefixes_are_put_back(prefix, state, tmp_path):
    path = _saved({f"{prefix}{name}": tensor for name, tensor in state.items()}, tmp_path / "net.pth")
    written, weights = _back(path, tmp_path)
    _same(torch.load(written, weights_only=True), {f"{prefix}{name}": tensor for name, tensor in weights.items()})


def test_another_reading_goes_back_to_its_own_place(state, tmp_path):
    path = _saved({f"backbone.{name}": tensor for name, tensor in state.items()}, tmp_path / "net.pth")
    _, inner = read_contents(path, 100).readings()
    assert list(inner.weights) == list(state)
    weights = _changed(inner.weights)
    loaded = torch.load(inner.container.write(tmp_path, "unlearned", weights), weights_only=True)
    _same(loaded, {f"backbone.{name}": tensor for name, tensor in weights.items()})


@pytest.mark.slow
def test_what_stands_beside_the_weights_goes_back_and_what_holds_the_class_does_not(network, state, tmp_path):
    optimizer = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9)
    network.zero_grad()
    network.eval()(torch.rand(1, 3, 32, 32)).sum().backward()
    optimizer.step()
    payload = {
        "epoch": 3,
        "args": argparse.Namespace(model="shufflenet", out=pathlib.Path("runs/1")),
        "best_acc1": np.float64(71.5),
        "curve": np.arange(4, dtype=np.float32),
        "acc": torch.tensor(70.0),
        "state_dict": state,
        "state_dict_ema": {name: tensor.clone() for name, tensor in state.items()},
        "optimizer": optimizer.state_dict(),
    }
    path = _saved(payload, tmp_path / "net.pth.tar")
    notes = read_contents(path, 100).container.notes
    assert notes == (
        "without state_dict_ema, optimizer, which may still hold the class",
        "written as they were, though they are of the network as it came: best_acc1, acc",
    )
    written, weights = _back(path, tmp_path)
    loaded = torch.load(written, weights_only=False)
    assert list(loaded) == ["epoch", "args", "best_acc1", "curve", "acc", "state_dict"]
    assert loaded["args"] == payload["args"]
    assert type(loaded["best_acc1"]) is np.float64
    assert (loaded["curve"].dtype, loaded["curve"].tolist()) == (np.float32, [0, 1, 2, 3])
    assert (loaded["epoch"], loaded["best_acc1"], loaded["acc"]) == (3, 71.5, torch.tensor(70.0))
    _same(loaded["state_dict"], weights)


@pytest.mark.slow
def test_the_chosen_entry_is_written_and_the_other_dropped(state, tmp_path):
    ema = {name: tensor + 1 for name, tensor in state.items()}
    path = _saved({"state_dict": state, "state_dict_ema": ema}, tmp_path / "net.pth.tar")
    written, weights = _back(path, tmp_path, entry="state_dict_ema")
    loaded = torch.load(written, weights_only=True)
    assert list(loaded) == ["state_dict_ema"]
    _same(loaded["state_dict_ema"], weights)


def test_a_copy_in_the_same_dictionary_gets_the_same_weights(state, tmp_path):
    both = {f"{word}.{name}": tensor for word in ("net", "ema") for name, tensor in state.items()}
    path = _saved({"state_dict": both | {"steps": torch.tensor(5)}}, tmp_path / "two.ckpt")
    contents = read_contents(path, 100, entry="net")
    assert contents.container.notes == (
        "a copy of the network, which may still hold the class, gets the same weights: ema",
    )
    weights = _changed(contents.weights)
    loaded = torch.load(contents.container.write(tmp_path, "unlearned", weights), weights_only=True)["state_dict"]
    assert list(loaded) == [*both, "steps"]
    for word in ("net", "ema"):
        _same({name: loaded[f"{word}.{name}"] for name in weights}, weights)


def test_another_network_in_the_same_dictionary_stays_as_it_is(state, tmp_path):
    judge = {"judge.weight": torch.rand(4, 4)}
    both = {f"net.{name}": tensor for name, tensor in state.items()} | judge
    contents = read_contents(_saved(both, tmp_path / "two.pt"), 100, entry="net")
    assert contents.container.notes == ("beside the network, and unchanged: judge",)
    written = contents.container.write(tmp_path, "unlearned", _changed(contents.weights))
    assert torch.equal(torch.load(written, weights_only=True)["judge.weight"], judge["judge.weight"])


@pytest.mark.slow
def test_swa_counters_go_back(network, tmp_path):
    averaged = torch.optim.swa_utils.AveragedModel(network)
    averaged.update_parameters(network)
    written, weights = _back(_saved(averaged.state_dict(), tmp_path / "swa.pth"), tmp_path)
    fresh = torch.optim.swa_utils.AveragedModel(_network())
    fresh.load_state_dict(torch.load(written, weights_only=True), strict=True)
    assert fresh.n_averaged == 1
    _same(fresh.module.state_dict(), weights)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_dtype_of_every_tensor_stays(dtype, state, tmp_path):
    halved = {name: (tensor.to(dtype) if tensor.ndim == 4 else tensor) for name, tensor in state.items()}
    written, weights = _back(_saved(halved, tmp_path / "net.pth"), tmp_path)
    loaded = torch.load(written, weights_only=True)
    assert {name: tensor.dtype for name, tensor in loaded.items()} == {n: t.dtype for n, t in halved.items()}
    _same(loaded, weights)


def test_other_memory_layouts_become_contiguous(tmp_path):
    state = {
        "w": torch.rand(4, 3, 5, 5).contiguous(memory_format=torch.channels_last),
        "v": torch.rand(6, 8).t(),
        "u": torch.rand(10)[::2],
    }
    written, weights = _back(_saved(state, tmp_path / "net.pth"), tmp_path)
    loaded = torch.load(written, weights_only=True)
    assert all(tensor.is_contiguous() for tensor in loaded.values())
    _same(loaded, weights)


def test_tied_tensors_stay_tied_unless_they_are_given_different_values(tmp_path):
    tied = torch.rand(3, 4)
    path = _saved({"a": tied, "b": tied, "c": nn.Parameter(torch.rand(2))}, tmp_path / "net.pth")
    container = read_contents(path, 1).container
    new = {"a": tied + 1, "b": tied + 1, "c": torch.ones(2)}
    loaded = torch.load(container.write(tmp_path, "same", new), weights_only=True)
    assert loaded["a"].untyped_storage().data_ptr() == loaded["b"].untyped_storage().data_ptr()
    assert type(loaded["c"]) is nn.Parameter
    loaded = torch.load(container.write(tmp_path, "other", new | {"b": tied + 2}), weights_only=True)
    assert torch.equal(loaded["a"], tied + 1)
    assert torch.equal(loaded["b"], tied + 2)


def test_the_format_before_torch_1_6_stays(state, tmp_path):
    path = _saved(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    written, weights = _back(path, tmp_path)
    assert written.read_bytes()[:4] != b"PK\x03\x04"
    _same(torch.load(written, weights_only=True), weights)


def test_safetensors_keep_header_metadata_and_bytes(state, tmp_path):
    path = tmp_path / "net.safetensors"
    save_file({f"module.{n}": t.contiguous() for n, t in state.items()}, path, metadata={"format": "pt", "who": "me"})
    written, weights = _back(path, tmp_path)
    _same(dict(sorted(load_file(written).items())), dict(sorted((f"module.{n}", t) for n, t in weights.items())))
    with safe_open(written, "pt") as file:
        assert file.metadata() == {"format": "pt", "who": "me"}
    contents = read_contents(path, 100)
    same = contents.container.write(tmp_path, "same", contents.weights)
    assert same.read_bytes() == path.read_bytes()


def test_safetensors_with_empty_and_single_values(tmp_path):
    save_file({"n": torch.tensor(3), "e": torch.zeros(0, 2), "h": torch.ones(3, dtype=torch.bfloat16)}, tmp_path / "s")
    contents = read_contents(tmp_path / "s", 1, entry=None)
    assert set(contents.weights) == {"e", "h"}
    written = contents.container.write(tmp_path, "unlearned", {"e": torch.zeros(0, 2), "h": torch.full((3,), 2.0)})
    loaded = load_file(written)
    assert (written.suffix, loaded["n"], loaded["h"].tolist()) == (".safetensors", 3, [2, 2, 2])


@pytest.mark.parametrize("name", ["net.pth", "net.safetensors"])
def test_the_same_weights_give_the_same_bytes_under_any_name(name, state, tmp_path):
    if name.endswith("pth"):
        _saved({"state_dict": state, "epoch": 3}, tmp_path / name)
    else:
        save_file({n: t.contiguous() for n, t in state.items()}, tmp_path / name)
    contents = read_contents(tmp_path / name, 100)
    hashes = set()
    for folder, stem in (("a", "unlearned"), ("b", "another")):
        written = contents.container.write(tmp_path / folder, stem, contents.weights)
        hashes.add(hashlib.sha256(written.read_bytes()).hexdigest())
        assert [path.name for path in (tmp_path / folder).iterdir()] == [written.name]
    assert len(hashes) == 1


def test_wrong_weights_are_refused_and_nothing_is_written(state, tmp_path):
    container = read_contents(_saved(state, tmp_path / "net.pth"), 100).container
    first = next(iter(state))
    for weights, message in (
        ({name: tensor for name, tensor in state.items() if name != first}, f"{first} missing"),
        (dict(state) | {"more": torch.ones(1)}, "more surplus"),
        (dict(state) | {first: torch.ones(1)}, r"expected shape \(24, 3, 3, 3\), got \(1,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            container.write(tmp_path / "out", "unlearned", weights)
    assert not (tmp_path / "out").exists()


def test_counters_of_batches_may_be_missing(state, tmp_path):
    container = read_contents(_saved(state, tmp_path / "net.pth"), 100).container
    weights = {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}
    assert len(weights) < len(state)
    _network().load_state_dict(torch.load(container.write(tmp_path, "unlearned", weights), weights_only=True))


def test_the_source_may_be_gone_when_the_file_is_written(state, tmp_path):
    path = _saved({"state_dict": state, "epoch": 2}, tmp_path / "net.pth")
    contents = read_contents(path, 100)
    path.unlink()
    loaded = torch.load(contents.container.write(tmp_path, "unlearned", contents.weights), weights_only=True)
    assert loaded["epoch"] == 2
    _same(loaded["state_dict"], contents.weights)


def test_timm_loads_its_file_and_its_folder(tmp_path):
    timm = pytest.importorskip("timm")
    model = timm.create_model("test_resnet", pretrained=False, num_classes=3)
    save_file(model.state_dict(), tmp_path / "net.safetensors")
    written, weights = _back(tmp_path / "net.safetensors", tmp_path)
    again = timm.create_model("test_resnet", pretrained=False, num_classes=3, checkpoint_path=str(written))
    _same(again.state_dict(), {name: weights[name] for name in again.state_dict()})
    folder = tmp_path / "timm"
    from timm.models import save_for_hf

    save_for_hf(model, folder, model_config={"label_names": ["a", "b", "c"]}, safe_serialization=True)
    assert read_contents(folder, 10).hints["timm_config"]["architecture"] == "test_resnet"
    written, weights = _back(folder, tmp_path)
    again = timm.create_model(f"local-dir:{written}", pretrained=True)
    _same(again.state_dict(), {name: weights[name] for name in again.state_dict()})


@pytest.mark.slow
@pytest.mark.parametrize("shards", [False, True])
@pytest.mark.parametrize("safe", [True, False])
def test_transformers_loads_its_folder(shards, safe, tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=16, patch_size=8
    )
    config.id2label = {0: "ant", 1: "bee", 2: "cat"}
    model = transformers.ViTForImageClassification(config)
    folder = tmp_path / "vit"
    model.save_pretrained(folder, max_shard_size="8KB" if shards else "1GB")
    if not safe:
        _as_bin(folder)
    contents = read_contents(folder, 10)
    assert contents.hints["class_names"] == ["ant", "bee", "cat"]
    assert contents.hints["hf_config"]["model_type"] == "vit"
    assert len(contents.container.parts) == 1 if not shards else len(contents.container.parts) > 2
    written, weights = _back(folder, tmp_path)
    assert sorted(path.name for path in written.iterdir()) == sorted(path.name for path in folder.iterdir())
    if not safe:
        merged = {}
        for name in contents.container.parts:
            merged |= torch.load(written / name, weights_only=True)
        _same(merged, {name: weights[name] for name in merged})
        return
    again = transformers.AutoModelForImageClassification.from_pretrained(written)
    again.save_pretrained(tmp_path / "again")  # in the names of files, which are not always those of modules
    saved = read_contents(tmp_path / "again", 10).weights
    _same(dict(sorted(saved.items())), dict(sorted(weights.items())))
    assert not torch.equal(next(iter(saved.values())), contents.weights[next(iter(saved))])


def _as_bin(folder):
    """Turn the safetensors of a folder into pytorch_model.bin, as older versions wrote them."""
    renamed = {}
    for path in sorted(folder.glob("*.safetensors")):
        renamed[path.name] = path.name.replace("model", "pytorch_model").replace(".safetensors", ".bin")
        torch.save(load_file(path), folder / renamed[path.name])
        path.unlink()
    index = folder / "model.safetensors.index.json"
    if index.exists():
        content = json.loads(index.read_text())
        content["weight_map"] = {name: renamed[file] for name, file in content["weight_map"].items()}
        (folder / "pytorch_model.bin.index.json").write_text(json.dumps(content))
        index.unlink()


def test_lightning_loads_its_checkpoint(tmp_path):
    lightning = pytest.importorskip("lightning")

    class Lit(lightning.LightningModule):
        def __init__(self, classes=3, names=("a", "b", "c")):
            super().__init__()
            self.save_hyperparameters()
            self.model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, classes))
            self.criterion = nn.CrossEntropyLoss(weight=torch.ones(classes))

        def training_step(self, batch, _):
            return self.criterion(self.model(batch[0]), batch[1])

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters())

    images = torch.utils.data.TensorDataset(torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 2, 0]))
    loader = torch.utils.data.DataLoader(images, batch_size=2)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    trainer = lightning.Trainer(max_epochs=1, default_root_dir=tmp_path, enable_checkpointing=False, **quiet)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(Lit(), loader)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    contents = read_contents(tmp_path / "last.ckpt", 10)
    assert list(contents.weights) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert contents.hints["hyper_parameters"]["classes"] == 3
    assert contents.notes == ("beside the network, and left aside: criterion",)
    assert contents.container.notes == ("without optimizer_states, which may still hold the class",)
    written, weights = _back(tmp_path / "last.ckpt", tmp_path)
    again = Lit.load_from_checkpoint(written, strict=True)
    _same(again.model.state_dict(), weights)
    assert torch.load(written, weights_only=True)["optimizer_states"] == []
