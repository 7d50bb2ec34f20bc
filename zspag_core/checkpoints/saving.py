"""Write a classifier to a `.safetensors` file whose header says how to rebuild it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save

from zspag_core.files import replace_file
from zspag_core.models.foreign import ForeignClassifier

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from torch import Tensor

    from zspag_core.models import Classifier

FORMAT = "zspag-1"
HEADER = "zspag"  # the one entry of the safetensors metadata: several would be written in random order


def save_checkpoint(path: str | os.PathLike[str], model: Classifier, about: Mapping[str, Any]) -> None:
    """Write a classifier and what is known about it; the same weights and words give the same bytes.

    The file appears under its name only once it is complete.

    Args:
        path: file to write, usually `*.safetensors`; its folder is made where it is missing.
        model: the classifier; its weights are stored as float32 under their state_dict names.
        about: plain JSON values, for example data set, class_names, training recipe and test accuracy. No time, path
            or run id belongs here, or equal runs would no longer give equal bytes.

    Raises:
        TypeError, ValueError: `about` holds something that JSON cannot say.
    """
    header = {
        "format": FORMAT,
        "architecture": model.architecture,
        "config": model.config.to_dict(),
        "about": dict(about),
    }
    text = json.dumps(header, sort_keys=True, allow_nan=False, separators=(",", ":"))
    own = model.owner_weights() if isinstance(model, ForeignClassifier) else model.state_dict()
    weights = {name: _plain(tensor) for name, tensor in own.items()}
    with replace_file(Path(path)) as partial:
        partial.write_bytes(save(weights, metadata={HEADER: text}))


def _plain(tensor: Tensor) -> Tensor:
    """Return a contiguous copy on the CPU with storage of its own, float32 if it was floating."""
    dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype
    return tensor.detach().to("cpu", dtype).clone(memory_format=torch.contiguous_format)
