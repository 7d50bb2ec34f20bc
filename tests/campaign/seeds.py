"""Small valid inputs of every kind, which the fuzzer damages."""

from __future__ import annotations

import argparse
import io
import json
import pickle
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
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
ENTRIES = {"pair.pt": "student", "several.pth": "model_ema"}
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
    _table(folder / "table.zip", images, labels)
    _cifar(folder / "cifar", labels)
    _svhn(folder / "svhn", labels)
    _tree(folder / "tree", images, labels)
    _hot_table(folder / "hot", images, labels)
    frame = {"name": [CLASSES[label] for label in labels], "picture": [_picture(pixels, "PNG") for pixels in images]}
    pd.DataFrame(frame).to_parquet(folder / "frame.parquet")
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


FORMS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")


def _tree(folder: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """Write class folders on the disk, with pictures of many forms: grey, palette, 16 bits, four channels."""
    modes = ("RGB", "L", "P", "RGBA", "I;16", "1", "LA", "CMYK")
    for number, (pixels, label) in enumerate(zip(images, labels, strict=True)):
        mode, form = modes[number % len(modes)], FORMS[number % len(FORMS)]
        below = folder / CLASSES[label]
        below.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(pixels[..., 0].astype(np.uint16) * 256) if mode == "I;16" else Image.fromarray(pixels)
        wanted = picture if mode == "I;16" else picture.convert(mode)
        odd = form not in {"PNG", "TIFF"} or mode == "CMYK"
        (picture if odd and mode == "I;16" else wanted.convert("RGB") if odd else wanted).save(
            below / f"{number}.{'png' if odd and mode == 'I;16' else form.lower()}"
        )


def _hot_table(folder: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """Write pictures beside a table of one-hot columns, and one that says which part each is of."""
    (folder / "images").mkdir(parents=True)
    hot, parts = [",".join(("image", *CLASSES))], ["id;label;split"]
    for number, (pixels, label) in enumerate(zip(images, labels, strict=True)):
        (folder / "images" / f"{number}.png").write_bytes(_picture(pixels, "PNG"))
        hot.append(",".join((f"images/{number}.png", *("1" if k == label else "0" for k in range(len(CLASSES))))))
        parts.append(f"{number};{CLASSES[label]};{'train' if number % 2 else 'test'}")
    (folder / "hot.csv").write_text("\n".join(hot))
    (folder / "parts.csv").write_text("\n".join(parts))


def _cifar(folder: Path, labels: np.ndarray) -> None:
    """Write CIFAR-10's own folder, with a few images."""
    folder.mkdir()
    pixels = np.random.default_rng(1).integers(0, 256, (len(labels), 3 * 32 * 32), np.uint8)
    batch = {b"data": pixels, b"labels": labels.tolist(), b"batch_label": b"one"}
    for name in ("data_batch_1", "data_batch_2", "test_batch"):
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))
    about = {b"label_names": [name.encode() for name in CLASSES], b"num_vis": 3072}
    (folder / "batches.meta").write_bytes(pickle.dumps(about, protocol=2))


def _svhn(folder: Path, labels: np.ndarray) -> None:
    """Write SVHN's own folder, with an image of each digit and part."""
    from scipy import io as matlab

    folder.mkdir()
    pixels = np.random.default_rng(2).integers(0, 256, (32, 32, 3, 20), np.uint8)
    for part in ("train", "test"):
        digits = (np.arange(20) % 10 + 1).astype(np.uint8)[:, None]
        matlab.savemat(folder / f"{part}_32x32.mat", {"X": pixels, "y": digits}, do_compression=part == "test")


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
    _new_kinds(folder, ours, state)
    _timm_folder(folder / "timm", state)
    _hf_folder(folder / "hf")
    _hf_folder(folder / "shards", "2KB")
    return {path.name: path for path in sorted(folder.iterdir())}


def _new_kinds(folder: Path, ours: torch.nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Write what is read since lately: compiled networks, several in one file, facts that are no plain values."""
    compiled = {f"net._orig_mod.{name}": tensor for name, tensor in state.items()}
    told = argparse.Namespace(arch="test_resnet", num_classes=np.int64(3), mean=np.array([0.5, 0.5, 0.5]))
    lightning = {"state_dict": compiled | {"loss.weight": torch.ones(3)}, "pytorch-lightning_version": "2.5"}
    lightning |= {"hyper_parameters": {"args": told, "classes": list(CLASSES)}, "best": np.float64(61.5), "loops": {}}
    torch.save(lightning, folder / "compiled.ckpt")
    pair = {f"{word}.{name}": tensor for word in ("student", "ema.module") for name, tensor in state.items()}
    torch.save(pair | {"n_averaged": torch.tensor(3)}, folder / "pair.pt")
    several = {"model": state, "model_ema": dict(state), "class_to_idx": {name: k for k, name in enumerate(CLASSES)}}
    torch.save(several | {"args": told, "scaler": {"scale": 65536.0}}, folder / "several.pth")
    config = {"num_classes": 3, "image_size": SIDE, "channels": 3, "widths": (4, 8), "blocks": (1, 1)}
    about = {"class_names": list(CLASSES)}
    torch.save(
        {"architecture": "resnet", "config": config, "state_dict": ours.state_dict(), "about": about},
        folder / "ours.pt",
    )


def _timm_folder(folder: Path, state: dict[str, torch.Tensor]) -> None:
    from safetensors.torch import save_file

    folder.mkdir()
    config = {"architecture": "test_resnet", "num_classes": 3, "label_names": list(CLASSES)}
    config["pretrained_cfg"] = {"input_size": [3, SIDE * 4, SIDE * 4], "mean": [0.5] * 3, "std": [0.2] * 3}
    (folder / "config.json").write_text(json.dumps(config))
    save_file(state, folder / "model.safetensors")


def _hf_folder(folder: Path, largest: str = "1GB") -> None:
    from transformers import ViTConfig, ViTForImageClassification

    size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    config = ViTConfig(image_size=SIDE, patch_size=4, id2label=dict(enumerate(CLASSES)), **size)
    ViTForImageClassification(config).save_pretrained(folder, max_shard_size=largest)
    told = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": {"height": SIDE, "width": SIDE}, "resample": 2}
    (folder / "preprocessor_config.json").write_text(json.dumps(told | {"do_normalize": True}))


def name_seeds(folder: Path) -> dict[str, Path]:
    """Write names of classes in every form; return kind -> file."""
    texts = {
        "lines.txt": "\n".join(CLASSES),
        "numbered.txt": "\n".join(f"{k}: {name}" for k, name in enumerate(CLASSES)),
    }
    texts |= {"list.json": json.dumps(CLASSES), "numbers.json": json.dumps({name: k for k, name in enumerate(CLASSES)})}
    texts["config.json"] = json.dumps({"id2label": dict(enumerate(CLASSES)), "model_type": "vit"})
    for name, text in texts.items():
        (folder / name).write_text(text)
    return {path.name: path for path in sorted(folder.iterdir())}
