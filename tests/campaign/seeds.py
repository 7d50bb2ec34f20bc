"""Small valid inputs of every kind, which the fuzzer damages."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import timm
import torch
from PIL import Image

from zspag_core.checkpoints import save_checkpoint
from zspag_core.models import build
from zspag_core.models.resnet import ResNetConfig

if TYPE_CHECKING:
    from pathlib import Path

SIDE, CLASSES, EACH = 8, ("cat", "dog", "eel"), 4
NETWORK = "timm:test_resnet"
NPZ = {"train_x": "images", "train_y": "labels", "test_x": "images", "test_y": "labels"}


def data_seeds(folder: Path) -> dict[str, Path]:
    """Write a data set of every container; return kind -> file."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (EACH * len(CLASSES), SIDE, SIDE, 3), np.uint8)
    labels = np.arange(len(images)) % len(CLASSES)
    both = {name: images if form == "images" else labels for name, form in NPZ.items()}
    np.savez(folder / "plain.npz", **both, class_names=np.array(CLASSES))
    np.savez_compressed(folder / "packed.npz", **both)
    _zip(folder / "folders.zip", images, labels, "PNG")
    _zip(folder / "photos.zip", images, labels, "JPEG")
    _parquet(folder / "rows.parquet", images, labels)
    pixels = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    batch = {b"data": pixels, b"labels": labels.tolist(), b"batch_label": b"one"}
    (folder / "batch.pkl").write_bytes(pickle.dumps(batch, protocol=2))
    _table(folder / "table.zip", images, labels)
    return {path.name: path for path in sorted(folder.iterdir())}


def _picture(pixels: np.ndarray, form: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def _zip(path: Path, images: np.ndarray, labels: np.ndarray, form: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for number, (pixels, label) in enumerate(zip(images, labels, strict=True)):
            for part in ("train", "test"):
                name = f"set/{part}/{CLASSES[label]}/{number}.{form.lower()}"
                archive.writestr(name, _picture(pixels, form))


def _table(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        lines = ["filename,label"]
        for number, (pixels, label) in enumerate(zip(images, labels, strict=True)):
            archive.writestr(f"images/{number}.png", _picture(pixels, "PNG"))
            lines.append(f"{number}.png,{CLASSES[label]}")
        archive.writestr("labels.csv", "\n".join(lines))


def _parquet(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"bytes": _picture(pixels, "PNG"), "path": None} for pixels in images]
    features = {"image": {"_type": "Image"}, "label": {"names": list(CLASSES), "_type": "ClassLabel"}}
    table = pa.table({"image": rows, "label": labels})
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})}), path)


def model_seeds(folder: Path) -> dict[str, Path]:
    """Write a checkpoint of every container; return kind -> file or folder."""
    from safetensors.torch import save_file

    torch.manual_seed(0)
    ours = build(ResNetConfig(num_classes=3, image_size=SIDE, channels=3, widths=(4, 8), blocks=(1, 1)))
    save_checkpoint(folder / "ours.safetensors", ours, {"class_names": list(CLASSES)})
    network = timm.create_model("test_resnet", num_classes=3)
    state = network.state_dict()
    save_file(state, folder / "plain.safetensors")
    torch.save(state, folder / "plain.pt")
    torch.save(state, folder / "old.pth", _use_new_zipfile_serialization=False)
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    nested = {"state_dict": {f"module.{k}": v for k, v in state.items()}, "optimizer": optimizer.state_dict()}
    torch.save(nested | {"epoch": 3, "best_acc1": 61.0, "classes": list(CLASSES)}, folder / "nested.pth.tar")
    lightning = {"state_dict": {f"net.{k}": v for k, v in state.items()}, "pytorch-lightning_version": "2.0"}
    torch.save(lightning | {"hyper_parameters": {"lr": 0.1}, "callbacks": {}}, folder / "lightning.ckpt")
    _timm_folder(folder / "timm", state)
    _hf_folder(folder / "hf")
    return {path.name: path for path in sorted(folder.iterdir())}


def _timm_folder(folder: Path, state: dict[str, torch.Tensor]) -> None:
    from safetensors.torch import save_file

    folder.mkdir()
    config = {"architecture": "test_resnet", "num_classes": 3, "label_names": list(CLASSES)}
    config["pretrained_cfg"] = {"input_size": [3, SIDE * 4, SIDE * 4], "mean": [0.5] * 3, "std": [0.2] * 3}
    (folder / "config.json").write_text(json.dumps(config))
    save_file(state, folder / "model.safetensors")


def _hf_folder(folder: Path) -> None:
    from transformers import ViTConfig, ViTForImageClassification

    size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    config = ViTConfig(image_size=SIDE, patch_size=4, id2label=dict(enumerate(CLASSES)), **size)
    ViTForImageClassification(config).save_pretrained(folder)
    told = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": {"height": SIDE, "width": SIDE}, "resample": 2}
    (folder / "preprocessor_config.json").write_text(json.dumps(told | {"do_normalize": True}))
