"""The Playground's answer: the method is run as everywhere else, and what can be seen of it is put together."""

from __future__ import annotations

import copy
import itertools
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.diagnosis import reached, shortfall
from zspag_core.errors import UnlearningError
from zspag_core.hyperparameters import configure, values
from zspag_core.methods.base import Unlearned, call_method
from zspag_core.methods.shared_stages import PROXY_SETTINGS, SharedStages
from zspag_core.plane.networks import named, network_of, points_of
from zspag_core.plane.packing import pack_points, pack_shares, pack_trails
from zspag_core.plane.seen import COARSE, FINE, Onlooker, energies, fields, gradient_parts
from zspag_core.plane.trails import NotingZSPAG
from zspag_core.progress import Reporter
from zspag_core.runs.context import RunContext

if TYPE_CHECKING:
    from torch import Tensor

    from zspag_core.data.dataset import LoadedSplit
    from zspag_core.models import Classifier
    from zspag_core.plane.question import Question

MOST_FRAMES = 16
"""Epochs that are shown; of more, every second or third and the last."""
MOST_NETWORKS, MOST_STAGES = 12, 150


@dataclass
class _WeightLog(Reporter):
    """Keeps the weights as they were after every epoch, and what was said."""

    weights: list[dict[str, Tensor]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def epoch(self, number: int, total: int, model: Classifier, **figures: float) -> None:
        """Keep a copy."""
        self.weights.append({name: weight.detach().clone() for name, weight in model.named_parameters()})

    def note(self, sentence: str) -> None:
        """Keep a sentence."""
        self.notes.append(sentence)


@dataclass(frozen=True)
class _Played:
    """One run and what it was about; `run` is None where it was refused, `refused` says why then."""

    question: Question
    method: NotingZSPAG
    model: Classifier
    forget: LoadedSplit
    run: Unlearned | None
    watch: _WeightLog
    refused: str


class Playground:
    """Answers questions one after the other, and remembers what several have in common."""

    def __init__(self) -> None:
        """Begin with nothing remembered."""
        self._kept: dict[Classifier, dict[Any, Any]] = {}

    def answer(self, question: Question) -> dict[str, Any]:
        """Run ZS-PAG and return what there is to see, as plain values; arrays are packed, see the module `packing`.

        Returns:
            {"names", "points", "forget_rows": [first, last + 1] of the forget samples among them,
            "beside", "trails", "proxies", "pseudo": labels of the forget samples, "frames": one a shown epoch, from 0,
            "layers", "refused", "ended": why the run ended, "notes", "seconds"}

        Raises:
            UsageError: there are no points of two classes, a setting is out of range.
        """
        clock, worked = [time.perf_counter()], time.process_time()
        source = (question.shape, question.classes, question.own, question.seed)
        method = configure(NotingZSPAG, question.settings)
        points, model = points_of(*source), network_of(*source)
        forget = points.train.of_classes(question.forget).loaded()
        clock.append(time.perf_counter())
        played = self._play(question, method, model, forget)
        clock.append(time.perf_counter())
        onlooker = Onlooker(points.test, question.forget)
        answer = {
            "names": list(points.class_names),
            "points": pack_points(points.train.loaded()),
            "beside": beside(onlooker, model, question),
            "trails": pack_trails(method.trails, question.forget, played.run.proxies if played.run else None),
            "refused": played.refused,
            "notes": played.watch.notes,
            **_seen(onlooker, played),
        }
        clock.append(time.perf_counter())
        spent = [after - before for before, after in itertools.pairwise(clock)]
        seconds = dict(zip(("train", "unlearn", "look"), spent, strict=True))
        return answer | {"seconds": seconds | {"processor": time.process_time() - worked}}

    def _play(self, question: Question, method: NotingZSPAG, model: Classifier, forget: LoadedSplit) -> _Played:
        """Run the method; stages that an earlier question had in common are remembered, also the attack's ways."""
        kept = self._stages_of(model)
        ways = ("trails", question.forget, tuple(getattr(method, name) for name in PROXY_SETTINGS))
        watch = _WeightLog()
        stages = SharedStages(kept, method, question.forget, question.seed)
        context = RunContext(torch.Generator().manual_seed(question.seed), watch, stages)
        run, refused = None, refusal(question, forget)
        try:
            if not refused:
                run = call_method(method, model, forget, question.forget, context, retain=lambda: forget)
        except UnlearningError as error:
            refused = f"{error}."
        if method.trails.ended:
            kept[ways] = method.trails.ended
        method.trails.ended = kept.get(ways, [])
        return _Played(question, method, model, forget, run, watch, refused)

    def _stages_of(self, model: Classifier) -> dict[Any, Any]:
        """Return what is remembered of runs on a network; of the networks asked for last, and not without end."""
        kept = self._kept.pop(model, {})
        self._kept = dict([*self._kept.items(), (model, kept)][-MOST_NETWORKS:])
        if len(kept) > MOST_STAGES:
            kept.clear()
        return kept


def refusal(question: Question, forget: LoadedSplit) -> str:
    """Say in one sentence why nothing can be forgotten; empty where something can."""
    if not question.forget:
        return "nothing is to be forgotten: choose at least one class."
    if len(set(question.forget)) == question.classes:
        return "every class is to be forgotten, so none would be left to answer: leave at least one."
    missing = tuple(k for k in question.forget if not bool((forget.labels == k).any()))
    return f"class {named(missing)} has no points to forget: click some into the plane." if missing else ""


def beside(onlooker: Onlooker, model: Classifier, question: Question) -> dict[str, Any]:
    """Return what stands beside the unlearned network: the original, one that never saw the classes, or a mask."""
    some_remain = len(set(question.forget)) < question.classes
    masked = question.forget if question.beside == "mask" and some_remain else ()
    if question.beside == "retrained" and some_remain:
        model = network_of(question.shape, question.classes, question.own, question.seed, question.forget)
    return {"kind": question.beside, **onlooker.look(model, masked=masked).plain()}


def _seen(onlooker: Onlooker, played: _Played) -> dict[str, Any]:
    """Return frames, layers, labels and how the run ended."""
    run, method = played.run, played.method
    if run is None or run.proxies is None or run.subspace is None or run.labels is None:
        only = {"epoch": 0, "parts": [], **onlooker.look(played.model).plain()}
        return {"frames": [only], "layers": [], "pseudo": "", "proxies": None, "ended": ""}
    spread = energies(played.model, run.proxies, method.energy) if len(run.proxies) else {}
    felt = fields(played.model, run.subspace)
    layers = [
        {"name": name, "dim": basis.dim, "rank": basis.rank, "classes": spread.get(name, []), "fields": felt[name]}
        for name, basis in run.subspace.layers.items()
    ]
    counts = run.proxies.per_class(played.question.classes)
    return {
        "frames": _frames(onlooker, played, run),
        "layers": layers,
        "pseudo": pack_shares(run.labels.labels),
        "proxies": {"attempted": run.proxies.attempted, "asr": run.proxies.asr, "per_class": counts},
        "ended": ending(run, method, played.question.forget, counts),
    }


def _frames(onlooker: Onlooker, played: _Played, run: Unlearned) -> list[dict[str, Any]]:
    """Return what is seen of the network after every shown epoch, from the original, epoch 0, on."""
    model, last = copy.deepcopy(played.model), len(played.watch.weights)
    frames = []
    for epoch in shown_epochs(last + 1):
        if epoch:
            model.load_state_dict(played.watch.weights[epoch - 1])
        figures = run.history[epoch - 1] if epoch else {}
        look = onlooker.look(model, FINE if epoch in {0, last} else COARSE)
        assert run.labels is not None  # noqa: S101 - a run that came to its end has both
        assert run.subspace is not None  # noqa: S101
        parts = gradient_parts(model, played.forget, run.labels.labels, run.subspace)
        frames.append({**figures, "epoch": epoch, "parts": parts, **look.plain()})
    return frames


def shown_epochs(count: int) -> list[int]:
    """Return which of the epochs 0 to `count` - 1 are shown: all, or MOST_FRAMES with the first and the last."""
    if count <= MOST_FRAMES:
        return list(range(count))
    return [round(k * (count - 1) / (MOST_FRAMES - 1)) for k in range(MOST_FRAMES)]


def ending(run: Unlearned, method: NotingZSPAG, forget: tuple[int, ...], counts: list[int]) -> str:
    """Say in one sentence why the run ended; empty where all its epochs were simply made."""
    per_class = {str(k): count for k, count in enumerate(counts) if k not in forget}
    result = {
        "config": values(method),
        "history": run.history,
        "stopped": run.stopped,
        "proxies": {"per_class": per_class},
    }
    return shortfall(result) or reached(result) or ""
