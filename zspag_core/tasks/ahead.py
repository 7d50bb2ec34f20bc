"""What a run that is not asked for yet would be waited for: made ahead, and found by the run in the shared cache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from zspag_core.devices import place
from zspag_core.methods.base import ZeroShotMethod
from zspag_core.methods.shared_stages import DEPENDS, beginning_settings
from zspag_core.runs.baseline import Baseline
from zspag_core.runs.config import RunConfig
from zspag_core.runs.execute import context_of
from zspag_core.runs.held import prepare_held
from zspag_core.runs.shared_cache import shared_cache
from zspag_core.safety import refuse_code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zspag_core.progress import Reporter


UNHEEDED = frozenset({"device", "relearning", "settings"})
"""Fields of a run's configuration by which its beginning does not differ (of the settings, some)."""


def begin_alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether what is made ahead of one run is what another begins with, on the same device.

    Args:
        one: a run's config as a job is given it.
        other: likewise.
    """
    return _beginning(one) == _beginning(other)


def _beginning(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the stages that runs may share, and the original's grade, depend on."""
    asked = RunConfig.from_job(config).to_dict()
    named = beginning_settings(asked["method"])
    settings = {name: value for name, value in asked["settings"].items() if name in named}
    return {name: value for name, value in asked.items() if name not in UNHEEDED} | {"settings": settings}


def make_ahead(config: Mapping[str, Any], report: Reporter) -> None:
    """Hold a run's model and data in memory, make the stages that runs may share, then the original's grade.

    Of the demo that is two thirds of all that is computed. It is kept for all runs with the same model, data, classes
    and settings, and is byte for byte what the run itself would make.

    To be called by the thread that carries out the runs, for what is held is a thread's own.

    Args:
        config: of the run that may come, as a job is given it.
        report: receives progress after every batch; it raises Cancelled when there is something better to do.

    Raises:
        Cancelled: the reporter did; finished stages are kept.
        ZspagError: the run would be impossible, or carry out its owner's code.
    """
    refuse_code(config.get("model"))
    asked = RunConfig.from_job(config)
    report.progress("load", 0, 1)
    prepared = prepare_held(asked)
    model = place(prepared.checkpoint.model, prepared.device)
    cache = shared_cache(prepared, None)
    method, context = prepared.method, context_of(asked, report, cache)
    if isinstance(method, ZeroShotMethod) and any(map(context.cache.shares, DEPENDS.get(method.name, ()))):
        with torch.random.fork_rng(devices=[]):
            method.make_ahead(model, prepared.forget, prepared.config.classes, context)
    Baseline(model, prepared, cache, report, {}).grade()
