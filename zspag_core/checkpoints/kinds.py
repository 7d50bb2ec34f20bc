"""What a file is by its first bytes; one without weights of PyTorch is named, with the lines that export them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SAVE = 'torch.save(model.state_dict(), "weights.pth")'
MAX_HEADER_BYTES = 10_000_000  # of JSON or pickle; a network of a thousand tensors needs 0.1 MB
ZIP_MAGIC = b"PK\x03\x04"
OLD_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # a pickled number that torch.save began with before 1.6
FIRST_BYTES = 600
FROM_ANOTHER_PROGRAM = "open it in the program that made it, put its weights into a PyTorch network and save " + SAVE
MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89HDF", f"an HDF5 file, as Keras writes it; networks of PyTorch are read: {FROM_ANOTHER_PROGRAM}"),
    (b"GGUF", f"a GGUF file of llama.cpp, which holds no image classifier of PyTorch; {FROM_ANOTHER_PROGRAM}"),
    (b"\x93NUMPY", "a single numpy array, which has no tensor names; save model.state_dict() with torch.save"),
    (b"version https://git-lfs", "a pointer of Git LFS instead of the file; fetch the file itself with: git lfs pull"),
    (b"<!DOCTYPE", "a web page instead of the file; download the file itself"),
    (b"<!doctype", "a web page instead of the file; download the file itself"),
    (b"<html", "a web page instead of the file; download the file itself"),
    (b"\x1f\x8b", "a gzip archive; unpack it and give the checkpoint inside"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it and give the checkpoint inside"),
    (b"Rar!", "a rar archive; unpack it and give the checkpoint inside"),
    (b"BZh", "a bzip2 archive; unpack it and give the checkpoint inside"),
    (b"\xfd7zXZ", "an xz archive; unpack it and give the checkpoint inside"),
)
ONNX = (
    "an ONNX graph, which keeps no tensor names of the PyTorch network; from the network that it was exported from, "
    f"save {SAVE}"
)
PICKLE = (
    "a plain pickle, which would run code when it is opened; where you trust it: "
    '`import pickle, torch; weights = pickle.load(open("{name}", "rb"))` and `torch.save(weights, "weights.pth")`'
)
NUMPY_ARRAYS = "numpy arrays (.npz); turn each into a tensor and save the dictionary of them with torch.save"
ZIPPED_FOLDER = "a zipped model folder; unpack it and give the folder"
WEIGHTS = (".safetensors", ".pth", ".pt", ".ckpt", ".tar", ".bin", ".h5")
"""How files of weights end that people zip."""
UNKNOWN = "expected a .safetensors file or one that torch.save has written (.pt, .pth, .bin), found neither inside"


def is_safetensors(path: Path) -> bool:
    """Return whether a file begins as safetensors: the length of a header, then a JSON object; or is named so."""
    with path.open("rb") as file:
        first = file.read(9)
    short = int.from_bytes(first[:8], "little") <= MAX_HEADER_BYTES
    return path.suffix == ".safetensors" or (len(first) == 9 and short and first[8:] == b"{")


def is_zip(path: Path) -> bool:
    """Return whether a file begins as a zip archive."""
    with path.open("rb") as file:
        return file.read(4) == ZIP_MAGIC


def is_old_torch(path: Path) -> bool:
    """Return whether a file begins as torch.save wrote it before 1.6."""
    with path.open("rb") as file:
        return file.read(len(OLD_MAGIC)) == OLD_MAGIC


def may_hold_weights(path: Path) -> bool:
    """Return whether a file begins as one of the three forms that weights are read from."""
    return is_zip(path) or is_old_torch(path) or is_safetensors(path)


def torchscript(name: str) -> str:
    """Say that an archive is TorchScript, and how its weights are had."""
    return (
        "a TorchScript program, which is code; save its weights with these two lines: "
        f'`model = torch.jit.load("{name}", map_location="cpu")` and `{SAVE}`'
    )


def exported_program(name: str) -> str:
    """Say that an archive is a program of torch.export, and how its weights are had."""
    return (
        "a program of torch.export; save its weights with these two lines: "
        f'`program = torch.export.load("{name}")` and `torch.save(program.state_dict, "weights.pth")`'
    )


def pickled_model(name: str, what: str) -> str:
    """Say that a file holds a pickled model, and how its weights are had."""
    return (
        f"a whole pickled model, and opening it would run code ({what}); where you trust it, save model.state_dict() "
        f'instead of the model: `model = torch.load("{name}", weights_only=False, map_location="cpu")` and `{SAVE}`'
    )


def runs_code(name: str, what: str) -> str:
    """Say that something beside the weights would run code, and how they are had without it."""
    return (
        f"refused, because it would run code ({what}); where you trust it, save the weights alone: "
        f'`saved = torch.load("{name}", weights_only=False, map_location="cpu")` and '
        '`torch.save(saved["state_dict"], "weights.pth")`, with the entry that holds the tensors; of a model as an '
        "object, its .state_dict()"
    )


def newer_pickle(name: str, protocol: int) -> str:
    """Say that a file was pickled in a way that cannot be read without running code."""
    return (
        f"pickled with protocol {protocol}, where torch.save uses 2; where you trust it, save it again: "
        f'`saved = torch.load("{name}", weights_only=False, map_location="cpu")` and `torch.save(saved, "weights.pth")`'
    )


def other_file(path: Path) -> str:
    """Say what a file is that is neither safetensors nor written by torch.save."""
    with path.open("rb") as file:
        first = file.read(FIRST_BYTES)
    if not first:
        return "an empty file"
    for magic, words in MAGIC:
        if first.lstrip().startswith(magic):
            return words
    return _by_structure(first, path.name)


def _by_structure(first: bytes, name: str) -> str:
    """Name the kinds that have no magic number at the beginning."""
    if first[4:8] == b"TFL3":
        return f"a TensorFlow Lite file; {FROM_ANOTHER_PROGRAM}"
    if first[257:262] == b"ustar":
        return "a tar archive; unpack it and give the checkpoint inside"
    if first[:1] == b"\x80" and first[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}:
        return PICKLE.format(name=name)
    if first[:1] == b"\x08" and (name.endswith(".onnx") or b"pytorch" in first or b"onnx" in first):
        return ONNX
    return UNKNOWN


def other_zip(path: Path, names: list[str]) -> str:
    """Say what a zip archive is that torch.save has not written; nothing where it may have.

    Args:
        path: the archive.
        names: of the parts in it.
    """
    ends = {name.rpartition("/")[2] for name in names}
    if "constants.pkl" in ends or any("/code/" in f"/{name}" for name in names):
        return torchscript(path.name)
    kinds = (
        ("data.pkl" in ends, ""),
        ("model.weights.h5" in ends, f"a Keras model; networks of PyTorch are read: {FROM_ANOTHER_PROGRAM}"),
        (bool(names) and all(name.endswith(".npy") for name in names), NUMPY_ARRAYS),
        (bool(ends & {"serialized_exported_program.json", "archive_format"}), exported_program(path.name)),
        (bool(ends & {"config.json", "model.safetensors", "pytorch_model.bin"}), ZIPPED_FOLDER),
    )
    inside = next((name for name in names if name.lower().endswith(WEIGHTS)), "")
    zipped = f"a zip archive with {inside} in it; unpack it and give the checkpoint inside" if inside else ""
    return next((words for fits, words in kinds if fits), zipped)


def other_folder(path: Path) -> str:
    """Say why a folder holds no weights that can be read."""
    if (path / "saved_model.pb").exists():
        return f"a TensorFlow SavedModel; networks of PyTorch are read: {FROM_ANOTHER_PROGRAM}"
    if (path / "adapter_config.json").exists():
        return "an adapter (LoRA), which is no whole network; merge it with `model.merge_and_unload()` and save that"
    for file, option in (("tf_model.h5", "from_tf"), ("flax_model.msgpack", "from_flax")):
        if (path / file).exists():
            return (
                f"its weights are only there as {file}; with transformers: `model = AutoModelForImageClassification."
                f'from_pretrained("{path.name}", {option}=True)` and `model.save_pretrained("{path.name}")`'
            )
    return "expected config.json beside model.safetensors or pytorch_model.bin in the folder"
