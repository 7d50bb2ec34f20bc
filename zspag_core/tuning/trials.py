"""A trial: an ordinary run, whose model, data and shared stages are at hand already, held against the yardstick."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from zspag_core.checkpoints import load_checkpoint
from zspag_core.progress import SILENT, Reporter
from zspag_core.runs.execute import execute
from zspag_core.runs.prepare import check, read_for
from zspag_core.tuning.objectives import YARDSTICK
from zspag_core.tuning.stages import shared_cache
from zspag_core.tuning.version import stamp
from zspag_core.tuning.yardstick import common_proxies, measure

if TYPE_CHECKING:
    from pathlib import Path

    from zspag_core.checkpoints import Checkpoint
    from zspag_core.data.dataset import DataSet
    from zspag_core.runs.config import RunConfig
    from zspag_core.runs.prepare import Prepared

LIVE_IMAGES = 200
"""Test images that are looked at after every epoch: a fifth of a run's alone; these looks took a third of a trial."""
VARIED = ("method", "settings", "seed", "device", "relearning", "hold_out")
"""Of a run's configuration, what its model and data do not depend on."""


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
    result = execute(
        config, out, report, state=state, prepare=prepare_held, cache_of=shared_cache, live_images=LIVE_IMAGES
    )
    if result["after"] is None:
        return result
    return result | {YARDSTICK: hold_against(prepare_held(config), out, report)}


def hold_against(prepared: Prepared, folder: Path, report: Reporter = SILENT) -> dict[str, float | None]:
    """Return what the yardstick says of a finished run.

    Args:
        prepared: the run.
        folder: its run folder.
        report: told while the yardstick is made.
    """
    from safetensors.torch import load_file

    unlearned = load_checkpoint(str(folder / "model.safetensors")).model.to(prepared.device)
    proxies = folder / "proxies.safetensors"
    return measure(
        prepared, unlearned, common_proxies(prepared, report), load_file(proxies) if proxies.exists() else {}
    )


def prepare_held(config: RunConfig) -> Prepared:
    """Prepare a run; model and data of the last one are used again while their files are as they were."""
    stamps = tuple(stamp(place) for place in (config.checkpoint, config.data))
    return check(config, *_read(_Asked(config), stamps))


class _Asked:
    """A configuration that equals others which differ only in what model and data do not depend on."""

    def __init__(self, config: RunConfig) -> None:
        self.config = config
        self._key = repr([(name, value) for name, value in sorted(config.to_dict().items()) if name not in VARIED])

    def __eq__(self, other: object) -> bool:
        """Compare what matters."""
        return isinstance(other, _Asked) and self._key == other._key

    def __hash__(self) -> int:
        """Hash what matters."""
        return hash(self._key)


@lru_cache(maxsize=1)
def _read(asked: _Asked, _stamps: tuple[object, ...]) -> tuple[Checkpoint, DataSet]:
    return read_for(asked.config)
