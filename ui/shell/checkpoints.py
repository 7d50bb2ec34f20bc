"""What a page may know about a checkpoint without torch: its header."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zspag_core.errors import CheckpointError
from zspag_core.recipes import first_recipe, retrain_settings
from zspag_core.shipped import CHECKPOINTS, DEMO_MODEL, ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HEADER_LIMIT = 10_000_000


@dataclass(frozen=True)
class Header:
    """What a checkpoint says about itself.

    Attributes:
        path: the file.
        architecture: family of the network.
        image_size: side of its input in pixels.
        data: the data set it was trained on.
        class_names: one name per class.
        test_accuracy: in percent, None where the file does not say.
        recipe: the training settings, empty where the file does not say.
        model: name of the network's size, empty where the file does not say.
        backdoor: the classes of a backdoor that was planted in training, as "1:8", empty where there is none.
    """

    path: Path
    architecture: str
    image_size: int
    data: str
    class_names: tuple[str, ...]
    test_accuracy: float | None
    recipe: Mapping[str, Any] = field(default_factory=dict, compare=False)
    model: str = ""
    backdoor: str = ""

    @property
    def title(self) -> str:
        """Return the name in a list of models."""
        accuracy = "" if self.test_accuracy is None else f" · {self.test_accuracy:.1f} % right"
        return f"{self.path.stem}{accuracy}"


def shipped_checkpoints(folder: Path = CHECKPOINTS) -> list[Path]:
    """Return the checkpoints that come with the app, the demo's first, then other digits: they are quick to try."""

    def place(path: Path) -> tuple[bool, bool, str]:
        return path.name != DEMO_MODEL.name, not path.stem.startswith("digits"), path.stem

    return sorted(folder.glob("*.safetensors"), key=place)


def read_header(path: Path) -> Header:
    """Read the header of one of our own checkpoints; the weights are not touched.

    Raises:
        CheckpointError: the file is cut short, or is no checkpoint of this program.
    """
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > HEADER_LIMIT:
                raise CheckpointError(f"{path.name}: expected a header of at most 10 MB, got {length} bytes")
            about = json.loads(json.loads(file.read(length))["__metadata__"]["zspag"])
        return _to_header(path, about)
    except (OSError, struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path.name}: expected a checkpoint saved by this program; its header is not") from error


def recipe_of(checkpoint: str) -> dict[str, Any]:
    """Return the training settings that a checkpoint of this program names; none for a foreign one."""
    try:
        return retrain_settings(read_header(ROOT / checkpoint).recipe)
    except CheckpointError:
        return {}


def _to_header(path: Path, record: dict[str, dict[str, Any]]) -> Header:
    """Pick what pages show."""
    about, config = record["about"], record["config"]
    accuracy = about.get("test_accuracy")
    return Header(
        path=path,
        architecture=str(record["architecture"]),
        image_size=int(str(config["image_size"])),
        data=str(about["data"]),
        class_names=tuple(str(name) for name in about["class_names"]),
        test_accuracy=None if accuracy is None else float(str(accuracy)),
        recipe=first_recipe(about),
        model=str(about.get("model") or ""),
        backdoor=str(about.get("backdoor") or ""),
    )
