"""Read the model folders of transformers and timm: config.json beside the weights. No code in them is ever run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from zspag_core.checkpoints.export import FolderContainer
from zspag_core.checkpoints.hints import hints
from zspag_core.checkpoints.kinds import other_folder
from zspag_core.checkpoints.opening import Opened, open_file
from zspag_core.errors import CheckpointError, some_of

if TYPE_CHECKING:
    from pathlib import Path

    from zspag_core.checkpoints.export import Container

WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the first that is there is taken
MOST_JSON = 10_000_000  # bytes
MOST_TAKEN_ALONG = 2_000_000  # bytes of one file
TAKEN_ALONG = (".json", ".txt", ".md")


def open_folder(path: Path, limit_mb: float, entry: str | None) -> Opened:
    """Open a model folder.

    Args:
        path: folder with config.json and model.safetensors or pytorch_model.bin, whole or in numbered parts.
        limit_mb: most megabytes of a file that cannot be read in part.
        entry: which network is meant, where there are several.

    Raises:
        CheckpointError: no model folder, damaged, or the network's code would have to come out of the folder.
    """
    config = read_settings(path / "config.json")
    files = _weight_files(path)
    if "auto_map" in config:
        raise CheckpointError(
            f"config.json names code of its own (auto_map), which is never run; give {files[0].name} alone, and the "
            "network's class as a Python file of yours"
        )
    code = sorted(file.name for file in path.glob("*.py"))
    notes = (f"the folder holds code that is not run: {some_of(code, 3)}",) if code else ()
    return Opened(_joined(path, files, limit_mb), None, entry, notes, _hints(path, config))


def read_settings(path: Path) -> dict[str, Any]:
    """Return a JSON object of a folder.

    Raises:
        CheckpointError: missing, too large, or not a JSON object.
    """
    if not path.is_file():
        raise CheckpointError(other_folder(path.parent))
    if path.stat().st_size > MOST_JSON:
        raise CheckpointError(f"{path.name} is over {MOST_JSON / 1e6:g} MB")
    try:
        value = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise CheckpointError(f"{path.name} is not JSON") from None
    if not isinstance(value, dict):
        raise CheckpointError(f"{path.name} is not a JSON object")
    return value


def _weight_files(path: Path) -> list[Path]:
    """Return the files that hold the weights: one, or those that an index names."""
    for name in WEIGHTS:
        if (path / name).is_file():
            return [path / name]
        if (path / f"{name}.index.json").is_file():
            return _numbered(path, name)
    raise CheckpointError(other_folder(path))


def _numbered(path: Path, name: str) -> list[Path]:
    """Return the files that an index names, which must lie in the folder itself."""
    index = read_settings(path / f"{name}.index.json").get("weight_map")
    if not isinstance(index, dict) or not all(isinstance(file, str) for file in index.values()):
        raise CheckpointError(f"{name}.index.json: expected a weight_map of file names")
    names, there = sorted(set(index.values())), {file.name for file in path.iterdir() if file.is_file()}
    for file in names:
        if file not in there:
            raise CheckpointError(f"{name}.index.json names {file!r}, which is not in the folder")
    return [path / file for file in names]


def _joined(path: Path, files: list[Path], limit_mb: float) -> FolderContainer:
    """Open the weight files of a folder as one container."""
    parts = {file.name: _part(file, limit_mb) for file in files}
    tensors = {name: tensor for part in parts.values() for name, tensor in part.tensors.items()}
    others = {file.name: file.read_bytes() for file in sorted(path.iterdir()) if _goes_along(file)}
    left = sorted(file.name for file in path.iterdir() if file.name not in parts and file.name not in others)
    notes = (f"without {some_of(left, 6)}, which lay in the folder",) if left else ()
    return FolderContainer(suffix="", tensors=tensors, dropped=notes, parts=parts, others=others)


def _part(file: Path, limit_mb: float) -> Container:
    """Open one weight file."""
    try:
        return open_file(file, limit_mb, None).container
    except CheckpointError as error:
        raise CheckpointError(f"{file.name}: {error}") from None


def _goes_along(file: Path) -> bool:
    """Return whether a file is copied into a folder that is written: small texts, no weights, no code."""
    kind = file.suffix in TAKEN_ALONG and not file.name.startswith(".")
    return kind and file.is_file() and file.stat().st_size <= MOST_TAKEN_ALONG


def _hints(path: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a folder and the plain facts in them."""
    facts = hints(config)
    if "architecture" in config:
        facts["timm_config"] = config
    if "model_type" in config or "architectures" in config:
        facts["hf_config"] = config
    if (path / "preprocessor_config.json").is_file():
        facts["preprocessor"] = read_settings(path / "preprocessor_config.json")
        facts |= {key: value for key, value in hints(facts["preprocessor"]).items() if key in {"mean", "std"}}
    return facts
