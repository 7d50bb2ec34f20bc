"""What both models of a run look at: pictures to choose from, their GradCAM maps, and how alike the maps are."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.data import to_pixels
from zspag_core.errors import UsageError
from zspag_core.explain.gradcam import attention, default_layer
from zspag_core.metrics.predictions import logits_of
from zspag_core.metrics.similarity import mean_correlation
from zspag_core.progress import SILENT
from zspag_core.tasks.finished_run import FinishedRun, open_run
from zspag_core.tasks.pictures import rounded, to_data_url

if TYPE_CHECKING:
    from torch import Tensor

    from zspag_core.data import Split
    from zspag_core.explain.gradcam import AttentionMaps
    from zspag_core.jobs.records import Job
    from zspag_core.models import Classifier
    from zspag_core.progress import Reporter

KINDS = ("forgotten", "remaining", "changed")
TARGETS = ("own", "predicted")
MOST_IMAGES, COMPARED = 48, 64
LONGEST = 96


def list_samples(job: Job, _report: Reporter = SILENT) -> dict[str, Any]:
    """Return test images of a run to choose from; of a run without test images, its images to forget.

    Args:
        job: its config is {"run": job id, "kind": "forgotten", "remaining" or "changed" (read otherwise after the run,
            remaining classes first), "count": 1 to 48}.

    Returns:
        {"images": [{"index" (position among these images), "label", "picture" (data URL)}]}, in turn of each class.

    Raises:
        UsageError: the run, the kind or the count is none that can be answered.
    """
    kind, count = str(job.config["kind"]), int(job.config["count"])
    if kind not in KINDS or not 1 <= count <= MOST_IMAGES:
        raise UsageError(f"samples: expected 1 to {MOST_IMAGES} of {', '.join(KINDS)}, got {count} of {kind!r}")
    run = open_run(str(job.config["run"]), job.device)
    shown = run.shown
    gone = torch.isin(shown.labels, torch.tensor(run.config.classes))
    if kind == "changed":
        changed = _changed(run)
        order = [*_in_turn(shown.labels, changed & ~gone), *_in_turn(shown.labels, changed & gone)]
    else:
        order = _in_turn(shown.labels, gone if kind == "forgotten" else ~gone)
    return {"images": [_describe(shown, index) for index in order[:count]]}


def compare_attention(job: Job, report: Reporter = SILENT) -> dict[str, Any]:
    """Return GradCAM maps of images before and after a run, unscaled, and how alike such maps are on average.

    Args:
        job: its config is {"run": job id, "index": positions as :func:`list_samples` gives them, "layer": name or None
            for the default, "target": "own" explains each image's label, "predicted" what each of the two models takes
            it for}.
        report: receives progress after each step.

    Returns:
        {"layer", "layers": [names], "images": [{"index", "label", "picture" (data URL), "own": {"before", "after"}
        (probabilities), "predicted": {"before": [class, probability], "after": …}, "map_before", "map_after" (h x w
        nested lists on one scale)}], "similarity": {"remaining", "forgotten"} (mean correlation over 64 fixed
        images each; None without any), "empty": {"remaining", "forgotten"} (percent of these images whose map after
        the run is empty), "kept": {"remaining", "forgotten"} (all evidence after the run in percent of that before)}

    Raises:
        UsageError: the run, an index, the layer or the target is none that can be answered.
    """
    report.progress("attention", 0, 3)
    run = open_run(str(job.config["run"]), job.device)
    layer, target = _layer(run.original, job.config.get("layer")), str(job.config.get("target", "own"))
    index = _index(job.config["index"], len(run.shown))
    if target not in TARGETS:
        raise UsageError(f"target: expected one of {', '.join(TARGETS)}, got {target!r}")
    report.progress("attention", 1, 3)
    chosen = run.shown[index]
    before, after = (_attend(model, chosen, layer, target) for model in (run.original, run.unlearned))
    report.progress("attention", 2, 3)
    pairs = zip(index.tolist(), _figures(chosen, before), _figures(chosen, after), strict=True)
    images = [_describe(run.shown, place) | _side_by_side(*figures) for place, *figures in pairs]
    found = {"layer": layer, "layers": list(run.original.cam_layers), "images": images}
    modified = (run.folder / "model.safetensors").stat().st_mtime_ns
    return found | _alike(str(job.config["run"]), modified, job.device, layer, target)


def _changed(run: FinishedRun) -> Tensor:
    """Return which of the images, (T,) bool, the two models read differently."""
    arrays = run.arrays("grading")
    before, after = arrays.get("test.before"), arrays.get("test.after")
    if before is None or after is None or len(before) != len(run.shown):
        before, after = (logits_of(model, run.shown.images) for model in (run.original, run.unlearned))
    return before.argmax(1) != after.argmax(1)


def _in_turn(labels: Tensor, wanted: Tensor) -> list[int]:
    """Return the wanted positions, (T,) bool: first those that come first in their class, then the second ones."""
    turn = torch.zeros_like(labels)
    for k in labels[wanted].unique():
        mine = (wanted & (labels == k)).nonzero().flatten()
        turn[mine] = torch.arange(len(mine))
    places = wanted.nonzero().flatten().tolist()
    return sorted(places, key=lambda place: (int(turn[place]), int(labels[place])))


def _describe(images: Split, place: int) -> dict[str, Any]:
    """Return one image with its label."""
    picture = to_data_url(images.images[place], LONGEST)
    return {"index": place, "label": int(images.labels[place]), "picture": picture}


def _layer(model: Classifier, name: str | None) -> str:
    """Return the layer asked for, or the default."""
    chosen = name or default_layer(model)
    if chosen not in model.cam_layers:
        raise UsageError(f"layer: expected one of {', '.join(model.cam_layers) or 'none at all'}, got {chosen!r}")
    return chosen


def _index(given: list[int], count: int) -> Tensor:
    """Check positions among `count` images."""
    if not 1 <= len(given) <= MOST_IMAGES or not all(0 <= place < count for place in given):
        raise UsageError(f"index: expected 1 to {MOST_IMAGES} positions from 0 to {count - 1}, got {list(given)}")
    return torch.tensor(list(given), dtype=torch.int64)


def _attend(model: Classifier, images: Split, layer: str, target: str) -> AttentionMaps:
    """Return the maps of a model for the labels, or for what it takes the images for."""
    targets = images.labels if target == "own" else logits_of(model, images.images).argmax(1)
    return attention(model, to_pixels(images.images), targets, layer)


def _figures(images: Split, found: AttentionMaps) -> list[dict[str, Any]]:
    """Return map and probabilities of every image under one model."""
    probabilities = found.logits.softmax(1)
    own = probabilities.gather(1, images.labels[:, None]).squeeze(1)
    surest, predicted = probabilities.max(1)
    rows = zip(found.maps, own.tolist(), predicted.tolist(), surest.tolist(), strict=True)
    return [{"own": mine, "predicted": [k, p], "map": rounded(map_)} for map_, mine, k, p in rows]


def _side_by_side(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return the figures of one image under both models."""
    both = {name: {"before": before[name], "after": after[name]} for name in ("own", "predicted")}
    return both | {"map_before": before["map"], "map_after": after["map"]}


@lru_cache(maxsize=64)
def _alike(run_id: str, _modified: int, device: str, layer: str, target: str) -> dict[str, Any]:
    """Compare the maps of a fixed sample of remaining and of forgotten images."""
    run = open_run(run_id, device)
    alike: dict[str, dict[str, float | None]] = {"similarity": {}, "empty": {}, "kept": {}}
    kinds = {"remaining": run.shown.without_classes, "forgotten": run.shown.of_classes}
    for name, part in kinds.items():
        sample = part(run.config.classes).sample(COMPARED, torch.Generator().manual_seed(0))
        similarity = empty = kept = None
        if len(sample):
            before, after = (_attend(model, sample, layer, target).maps for model in (run.original, run.unlearned))
            similarity = mean_correlation(before, after)
            empty = 100 * float((after.flatten(1).amax(1) <= 0).double().mean())
            kept = 100 * float(after.sum() / before.sum()) if before.sum() > 0 else None
        alike["similarity"][name], alike["empty"][name], alike["kept"][name] = similarity, empty, kept
    return alike
