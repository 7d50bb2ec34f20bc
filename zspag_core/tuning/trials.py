"""A trial: an ordinary run, whose model, data and shared stages are at hand already, held against the yardstick."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zspag_core.checkpoints import load_checkpoint
from zspag_core.metrics.live import QuickGrades
from zspag_core.progress import SILENT, Reporter
from zspag_core.runs.execute import execute
from zspag_core.runs.held import prepare_held
from zspag_core.runs.shared_cache import shared_cache
from zspag_core.tuning.objectives import YARDSTICK
from zspag_core.tuning.yardstick import common_proxies, measure

if TYPE_CHECKING:
    from pathlib import Path

    from zspag_core.runs.config import RunConfig
    from zspag_core.runs.prepare import Prepared


def carry_out(config: RunConfig, out: Path, report: Reporter = SILENT, *, state: Path | None = None) -> dict[str, Any]:
    """Carry out a trial and write its run folder, which is the same as that of the run alone.

    Args:
        config: the run.
        out: its folder, as :func:`zspag_core.runs.execute.execute` takes it.
        report: receives progress.
        state: folder of what an unfinished attempt keeps.

    Returns:
        The content of result.json and, under "yardstick", what :func:`zspag_core.tuning.yardstick.measure` says.

    Raises:
        Cancelled, ZspagError: as in :func:`zspag_core.runs.execute.execute`.
    """
    result = execute(config, out, report, state=state, prepare=prepare_held, cache_of=shared_cache, live=QuickGrades)
    if result["after"] is None:
        return result
    return result | {YARDSTICK: hold_against(prepare_held(config), out, report)}


def hold_against(prepared: Prepared, folder: Path, report: Reporter = SILENT) -> dict[str, float | None]:
    """Return what the yardstick says of a finished run.

    Args:
        prepared: the run.
        folder: its run folder.
        report: receives progress while the yardstick is made.
    """
    from safetensors.torch import load_file

    unlearned = load_checkpoint(str(folder / "model.safetensors")).model.to(prepared.device)
    proxies = folder / "proxies.safetensors"
    return measure(
        prepared, unlearned, common_proxies(prepared, report), load_file(proxies) if proxies.exists() else {}
    )
