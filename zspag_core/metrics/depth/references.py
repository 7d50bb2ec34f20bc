"""Reference models of a data set as one file: what each says of every image, and which images it was trained on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from zspag_core.data.archive import BROKEN, open_archive
from zspag_core.errors import DataError
from zspag_core.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

LEAST_OF_A_KIND = 2
"""Models that were trained on an image, and that were not, at least: of fewer there is no variance."""
ARRAYS = ("logits", "included", "about")
FACTS = {"data": str, "images": dict, "class_names": list, "model": str, "image_size": int, "recipe": dict}
"""What a file says of its models, and as what kind of value."""
WRITTEN = "expected a file as train --references writes it"


@dataclass(frozen=True)
class References:
    """What R models say of all N images of a data set, each trained by one recipe on a random half of them.

    Training and test images are treated alike, so that which references were trained on an image tells nothing of
    whether another model was.

    Attributes:
        logits: (R, N, classes) float16; of the training images in the data set's order, then of the test images.
        included: (R, N) bool; which images each was trained on.
        about: {"data", "images": count and fingerprint by part, "class_names", "model", "image_size", "recipe",
            "seeds", "accuracy": percent of the images that each was not trained on}.

    Raises:
        ValueError: shapes do not fit, a logit is not finite, or some image was in fewer than two models' half, or in
            all but one's.
    """

    logits: Tensor
    included: Tensor
    about: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check what the measure relies on."""
        if self.logits.ndim != 3 or self.included.shape != self.logits.shape[:2]:
            shapes = f"{tuple(self.logits.shape)} and {tuple(self.included.shape)}"
            raise ValueError(f"logits and included: expected shapes (R, N, classes) and (R, N), got {shapes}")
        if self.included.dtype != torch.bool or not self.logits.is_floating_point():
            kinds = f"{self.logits.dtype} and {self.included.dtype}"
            raise ValueError(f"logits and included: expected floats and truth values, got {kinds}")
        if not bool(self.logits.isfinite().all()):
            raise ValueError("logits: expected finite numbers, got NaN or infinity")
        times = self.included.sum(dim=0)
        if not bool(((times >= LEAST_OF_A_KIND) & (len(self) - times >= LEAST_OF_A_KIND)).all()):
            raise ValueError("included: expected every image in two or more models' half and outside of two or more")

    def __len__(self) -> int:
        """Return the number of models."""
        return len(self.logits)

    def of(self, places: Tensor) -> References:
        """Return the same of some images, by their places (n,) int64 among all."""
        return References(self.logits[:, places], self.included[:, places], self.about)

    def without(self, place: int) -> References:
        """Return all models but one.

        Raises:
            ValueError: some image is left with fewer than two models of a kind.
        """
        others = torch.arange(len(self)) != place
        return References(self.logits[others], self.included[others], self.about)

    def summary(self) -> dict[str, Any]:
        """Return in a record's words what they are: how many, of which network, on which data, for how long."""
        named = {name: self.about.get(name) for name in ("data", "model", "image_size")}
        return {"count": len(self), **named, "epochs": self.about.get("recipe", {}).get("epochs")}


def save_references(path: Path, references: References) -> None:
    """Write references as a compressed `.npz` without Python objects; a reader never sees half of it."""
    logits, included = references.logits.numpy(), references.included.numpy()
    about = np.array(json.dumps(dict(references.about)))
    with replace_file(path) as partial, partial.open("wb") as file:
        np.savez_compressed(file, logits=logits, included=included, about=about)


def load_references(path: Path) -> References:
    """Read a file of :func:`save_references`; nothing in it is run.

    Raises:
        DataError: no such file, damaged, of Python objects, or without one of its arrays or facts.
    """
    if not path.is_file():
        raise DataError(f"references: there is no file {path}")
    found = _arrays(path)
    about = _about(path, found["about"])
    try:
        return References(torch.from_numpy(found["logits"]), torch.from_numpy(found["included"]), about)
    except (TypeError, ValueError) as error:
        raise DataError(f"references: {path}: {error}") from None


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Return the file's arrays.

    Raises:
        DataError: one is missing or cannot be read without running code.
    """
    with open_archive(path) as archive:
        missing = [name for name in ARRAYS if f"{name}.npy" not in archive.namelist()]
    if missing:
        raise DataError(f"references: {path} has no {', '.join(missing)}; {WRITTEN}")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in ARRAYS}
    except (*BROKEN, MemoryError):
        raise DataError(f"references: {path} is damaged or holds Python objects; {WRITTEN}") from None


def _about(path: Path, written: NDArray[Any]) -> dict[str, Any]:
    """Return what a file says of its models.

    Raises:
        DataError: it does not say everything.
    """
    try:
        about = json.loads(str(written[()])) if written.ndim == 0 else None
    except (ValueError, RecursionError):
        about = None
    if not isinstance(about, dict) or any(not isinstance(about.get(name), kind) for name, kind in FACTS.items()):
        raise DataError(f"references: {path} does not say {', '.join(FACTS)}; {WRITTEN}")
    return about
