"""What workers do before the first job comes, so that the demo, which is often that, is quick."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import torch

from zspag_core.devices import place
from zspag_core.errors import ZspagError
from zspag_core.methods.zspag import ZSPAG
from zspag_core.runs.baseline import Baseline
from zspag_core.runs.config import RunConfig
from zspag_core.runs.execute import context_of
from zspag_core.runs.held import prepare_held
from zspag_core.runs.shared_cache import shared_cache
from zspag_core.shipped import DEMO_CLASS, DEMO_DATA, DEMO_MODEL

if TYPE_CHECKING:
    from zspag_core.progress import Reporter


def warm_up_short_tasks() -> None:
    """Import what short tasks need, and look into the demo's data once: the first look took 5 s beside a run."""
    import zspag_core.tasks.preview  # noqa: F401
    from zspag_core.tasks.inspect_data import look_into

    with contextlib.suppress(ZspagError, OSError):
        look_into({"data": DEMO_DATA, "checkpoint": str(DEMO_MODEL)})


def warm_up(device: str, report: Reporter) -> None:
    """Import what runs need, hold the demo's model and data, and make what its first run would be waited for.

    That is the original's grade, the proxies and the subspace: two thirds of what the demo computes. They are kept for
    all runs with the same model, data, classes and settings.

    To be called by the thread that carries out the runs, for what is held is a thread's own.

    Args:
        device: where runs compute.
        report: receives progress after every batch; it raises Cancelled when there is something better to do.
    """
    with contextlib.suppress(ZspagError):  # nobody has asked for this, and a run will say what is wrong
        report.progress("load", 0, 1)
        config = RunConfig(DEMO_DATA, str(DEMO_MODEL), (DEMO_CLASS,), device=device)
        prepared = prepare_held(config)
        model = place(prepared.checkpoint.model, prepared.device)
        cache = shared_cache(prepared, None)
        Baseline(model, prepared, cache, report, {}).grade()
        if isinstance(method := prepared.method, ZSPAG):
            with torch.random.fork_rng(devices=[]):
                method.make_ahead(model, prepared.forget, config.classes, context_of(config, report, cache))
