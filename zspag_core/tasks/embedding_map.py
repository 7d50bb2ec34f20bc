"""The map of proxies beside real samples, before and after unlearning, written into the run folder."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from zspag_core.errors import UsageError
from zspag_core.explain.embedding import FEWEST, MAPS, FlatMap
from zspag_core.metrics.predictions import outputs_of, outputs_of_pixels
from zspag_core.metrics.proxy_quality import knn_agreement
from zspag_core.progress import SILENT, Relay
from zspag_core.runs.artifacts import save_arrays
from zspag_core.tasks.finished_run import FinishedRun, open_run

if TYPE_CHECKING:
    from torch import Tensor

    from zspag_core.data import Split
    from zspag_core.jobs.records import Job
    from zspag_core.metrics.predictions import Outputs
    from zspag_core.progress import Reporter

REAL_IMAGES, PROXIES = 2000, 500
KEPT = 4
STEPS = 5


class _Ground(NamedTuple):
    """What all runs that start from one model share.

    Attributes:
        images: the images that places count in: the test split, or the run's images to forget.
        places: (R,) int64, positions of the real images among these.
        outputs: what the original model says of them.
        flat: the map fitted on these features.
    """

    images: Split
    places: Tensor
    outputs: Outputs
    flat: FlatMap


def draw_map(job: Job, report: Reporter = SILENT) -> dict[str, Any]:
    """Lay real test images and proxies of a run on one map and write it as map_pca or map_umap.

    The map is fitted on what the original model sees in the real images; everything else is placed on it. Runs that
    start from one model and data set share the map. Without test images the images to forget are all the real ones that
    there are: the map is then fitted on these and on the proxies together, and is the run's own.

    The file holds real_before, real_after, real_zero (R, 2) float32 (real_zero: the original's features placed again,
    so the distance from real_before is what placing alone does), real_labels, real_index (R,) int64, real_images
    (R, C, H, W) uint8, real_predicted_before, real_predicted_after (R,) int64, proxy_before, proxy_after (P, 2)
    float32, proxy_index (P,) int64, rows of the file proxies. R is at most 2,000, P at most 500.

    Args:
        job: its config is {"run": job id, "kind": "pca" or "umap"}.
        report: receives progress after each step.

    Returns:
        {"file": its name without ending, "knn_agreement" (percent of these proxies that lie among real images of their
        class; None without proxies), "points", "seconds"}

    Raises:
        UsageError: the run or the kind is none that can be drawn.
    """
    start, kind = time.perf_counter(), str(job.config["kind"])
    if kind not in MAPS:
        raise UsageError(f"kind: expected one of {', '.join(MAPS)}, got {kind!r}")
    steps = _Steps(report)
    run = open_run(str(job.config["run"]), job.device)
    steps.next()
    ground = _ground(run, kind, steps)
    steps.next()
    arrays = _real_arrays(run, ground, steps)
    steps.next()
    found, agreement = _proxy_arrays(run, ground)
    steps.next()
    save_arrays(run.folder / f"map_{kind}.safetensors", arrays | found)
    steps.next()
    points = len(ground.places) + len(found.get("proxy_index", ()))
    return {"file": f"map_{kind}", "knn_agreement": agreement, "points": points, "seconds": time.perf_counter() - start}


class _Steps(Relay):
    """Reports one count for the whole task, whatever the parts of it report."""

    def __init__(self, inner: Reporter) -> None:
        super().__init__(inner)
        self.done = 0
        self.inner.progress("map", 0, STEPS)

    def progress(self, stage: str, done: int, total: int, **figures: float) -> None:
        """Report the step that is under way."""
        self.inner.progress("map", self.done, STEPS)

    def next(self) -> None:
        """Report that a step has ended."""
        self.done += 1
        self.inner.progress("map", self.done, STEPS)


def _ground(run: FinishedRun, kind: str, report: Reporter) -> _Ground:
    """Return the fitted map of a model and a data set, from memory where there is one."""
    if not len(run.dataset.test):
        return _fit(run, kind, report)
    key = (run.sha256, kind)
    known = _GROUNDS.get(key)
    if known is not None and known.images is run.dataset.test:
        return known
    while len(_GROUNDS) >= KEPT:
        _GROUNDS.pop(next(iter(_GROUNDS)))
    _GROUNDS[key] = _fit(run, kind, report)
    return _GROUNDS[key]


def _fit(run: FinishedRun, kind: str, report: Reporter) -> _Ground:
    """Fit the map on a fixed sample of the test split, or of the images to forget with the proxies."""
    images = run.shown
    index = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:REAL_IMAGES].sort().values
    outputs = outputs_of(run.original, images.images[index], report=report)
    seen = outputs.features if len(run.dataset.test) else torch.cat([outputs.features, *_proxy_features(run)])
    if len(seen) < FEWEST:
        raise UsageError(f"map: expected at least {FEWEST} images, got {len(seen)}")
    return _Ground(images, index, outputs, MAPS[kind](seen.numpy()))


def _proxy_features(run: FinishedRun) -> list[Tensor]:
    """Return what the original sees in the proxies that the map shows, one (P, D); none where the run made none."""
    proxies = run.arrays("proxies")
    if not len(proxies.get("labels", ())):
        return []
    pixels = proxies["images"][_spread(proxies["labels"], PROXIES)].float()
    return [outputs_of_pixels(run.original, pixels).features]


_GROUNDS: dict[tuple[str, str], _Ground] = {}


def _real_arrays(run: FinishedRun, ground: _Ground, report: Reporter) -> dict[str, Tensor]:
    """Return the part of the file that is about real images."""
    real = ground.images[ground.places].loaded()
    after = outputs_of(run.unlearned, real.images, report=report)
    return {
        "real_before": torch.from_numpy(ground.flat.fitted[: len(ground.places)]),
        "real_after": _place(ground, after.features),
        "real_zero": _place(ground, ground.outputs.features),
        "real_labels": real.labels,
        "real_index": ground.places,
        "real_images": real.images,
        "real_predicted_before": ground.outputs.logits.argmax(1),
        "real_predicted_after": after.logits.argmax(1),
    }


def _proxy_arrays(run: FinishedRun, ground: _Ground) -> tuple[dict[str, Tensor], float | None]:
    """Return the part of the file that is about proxies, and how many lie among real images of their class."""
    proxies = run.arrays("proxies")
    if not len(proxies.get("labels", ())):
        return {}, None
    index = _spread(proxies["labels"], PROXIES)
    pixels = proxies["images"][index].float()
    before, after = (outputs_of_pixels(model, pixels).features for model in (run.original, run.unlearned))
    labels = ground.images.labels[ground.places]
    agreement = knn_agreement(before, proxies["labels"][index], ground.outputs.features, labels)
    agreement = agreement if len(run.dataset.test) else None  # forget images are no neighbours to agree with
    placed = {"proxy_before": _place(ground, before), "proxy_after": _place(ground, after), "proxy_index": index}
    return placed, agreement


def _spread(labels: Tensor, count: int) -> Tensor:
    """Return at most `count` rows, as evenly as the classes (M,) allow, ascending."""
    turns = torch.zeros(len(labels))
    for k in labels.unique():
        mine = (labels == k).nonzero().flatten()
        turns[mine] = torch.arange(len(mine)).float()
    return turns.argsort(stable=True)[:count].sort().values


def _place(ground: _Ground, features: Tensor) -> Tensor:
    """Return where features lie on the map."""
    return torch.from_numpy(ground.flat.place(features.numpy()))
