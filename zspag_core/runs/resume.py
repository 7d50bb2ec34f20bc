"""Going on where an earlier attempt at the same run ended: which one that is, and what its stages are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zspag_core.hyperparameters import values
from zspag_core.metrics.accuracy import Accuracy
from zspag_core.metrics.deep import Relearning
from zspag_core.metrics.depth.stages import StageFeatures
from zspag_core.metrics.grade import Grade
from zspag_core.metrics.membership import Membership, MembershipScores, SameClass
from zspag_core.metrics.predictions import LabelledLogits
from zspag_core.progress import Frame
from zspag_core.proxies import ProxySet
from zspag_core.pseudo_labels import PseudoLabels
from zspag_core.runs.stage_cache import NO_CACHE, FileStageCache, StageCache
from zspag_core.subspace import LayerBasis, Subspace

if TYPE_CHECKING:
    from pathlib import Path

    from zspag_core.runs.prepare import Prepared

KINDS = (
    ProxySet,
    Subspace,
    LayerBasis,
    PseudoLabels,
    Frame,
    Grade,
    Accuracy,
    Membership,
    MembershipScores,
    SameClass,
    LabelledLogits,
    StageFeatures,
    Relearning,
)
"""What the stages of a run are made of."""


def cache_of(prepared: Prepared, folder: Path | None) -> StageCache:
    """Return the stage cache of a run in a folder, which holds only for the same request, model, data and device.

    Args:
        prepared: the run.
        folder: where; None keeps nothing.
    """
    if folder is None:
        return NO_CACHE
    data = [(len(part), part.fingerprint()) for part in (prepared.dataset.train, prepared.dataset.test)]
    asked = (prepared.config.to_dict(), values(prepared.method), str(prepared.device))
    return FileStageCache(folder, repr((asked, prepared.checkpoint.sha256, data)), KINDS)
