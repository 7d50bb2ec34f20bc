"""The engine: zero-shot machine unlearning with proxy adversarial data (Chen et al., ZS-PAG).

    import zspag_core as zspag
    result = zspag.unlearn(model, images, labels, forget=[3], preprocess=preprocess)
    result.model, result.record

The names below are imported when they are first used, so that `import zspag_core` itself takes no time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zspag_core.lazy import importer

if TYPE_CHECKING:
    from zspag_core.api import Result as Result
    from zspag_core.api import evaluate as evaluate
    from zspag_core.api import unlearn as unlearn
    from zspag_core.checkpoints import Checkpoint as Checkpoint
    from zspag_core.checkpoints import load_checkpoint as load_checkpoint
    from zspag_core.checkpoints import save_checkpoint as save_checkpoint
    from zspag_core.data import DATASETS as DATASETS
    from zspag_core.data import DataSet as DataSet
    from zspag_core.data import Split as Split
    from zspag_core.data import load_dataset as load_dataset
    from zspag_core.methods import METHODS as METHODS
    from zspag_core.methods import describe_methods as describe_methods
    from zspag_core.progress import Reporter as Reporter

_HOMES = {
    "Result": "api",
    "evaluate": "api",
    "unlearn": "api",
    "Checkpoint": "checkpoints",
    "load_checkpoint": "checkpoints",
    "save_checkpoint": "checkpoints",
    "DATASETS": "data",
    "DataSet": "data",
    "Split": "data",
    "load_dataset": "data",
    "METHODS": "methods",
    "describe_methods": "methods",
    "Reporter": "progress",
}
"""Public name -> the module that defines it."""

__all__ = [  # noqa: PLE0604 - names, as the keys are
    *_HOMES
]

__getattr__ = importer(__name__, _HOMES)


def __dir__() -> list[str]:
    """Return the public names beside what the module holds already."""
    return sorted({*globals(), *__all__})
