"""The literal implementation of tests/reference, timed on a stated part of the work and extrapolated per image."""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.bench.memory import Peak
from zspag_core.bench.passes import wait_for
from zspag_core.data.dataset import to_pixels
from zspag_core.layers import weight_layers
from zspag_core.pseudo_labels import INFLUENCE_MODES, LABEL_RATE, LABEL_STEPS

if TYPE_CHECKING:
    from types import ModuleType

    from torch import Tensor

    from zspag_core.data.dataset import Split
    from zspag_core.methods.base import Unlearned
    from zspag_core.methods.zspag import ZSPAG
    from zspag_core.models import Classifier

PATH = Path(__file__).parents[2] / "tests" / "reference" / "literal.py"
MISSING = (
    "no literal implementation here: it is tests/reference/literal.py of the source, so clone the repository and run "
    "bench from there"
)


def load_literal(path: Path = PATH) -> ModuleType | None:
    """Load the literal implementation by its path; None where there is none."""
    if not path.is_file():
        return None
    spec = importlib.util.spec_from_file_location("zspag_literal", path)
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def time_literal(
    literal: ModuleType, model: Classifier, forget: Split, method: ZSPAG, run: Unlearned, *, images: int, epochs: float
) -> dict[str, Any]:
    """Run every stage on part of the samples and scale its time to all of them.

    The proxies, and for the loop the labels, are those of the fast run, so that both do the same work.

    Args:
        literal: the module.
        model: the original classifier.
        forget: all forget samples.
        method: the settings of the fast run, which must attack with PGD.
        run: what the fast run returned.
        images: forget samples that are attacked and labelled, and proxies that are decomposed (whole classes); 0 takes
            all.
        epochs: of the loop.

    Returns:
        seconds (stage -> extrapolated), measured_seconds, samples, proxies, peak_mib.
    """
    task = _Literal(literal, model, forget, method, run, images)
    with Peak(task.device) as peak:
        task.attack()
        task.decompose()
        if method.label_mode in INFLUENCE_MODES:
            task.label()
        task.descend(epochs)
    return {
        "seconds": task.seconds,
        "measured_seconds": task.measured,
        "samples": len(task.sample),
        "of_samples": len(forget),
        "proxies": task.decomposed,
        "of_proxies": len(task.proxies),
        "peak_mib": peak.mib,
    }


class _Literal:
    """One timed run of the literal stages."""

    def __init__(
        self, literal: ModuleType, model: Classifier, forget: Split, method: ZSPAG, run: Unlearned, images: int
    ) -> None:
        if run.proxies is None or run.subspace is None or run.labels is None:
            raise TypeError("expected a finished run of zspag with proxies, subspace and labels")
        self.literal, self.model, self.method, self.run = literal, model, method, run
        self.device = model.head.weight.device
        self.proxies, self.images = run.proxies, images or len(forget)
        self.classes = tuple(sorted(set(forget.labels.tolist())))
        chosen = torch.linspace(0, len(forget) - 1, min(self.images, len(forget))).long()
        self.sample, self.labels = forget[chosen], run.labels.labels[chosen]
        self.scale = len(forget) / len(chosen)
        self.pixels = to_pixels(self.sample.images, self.device)
        self.seconds: dict[str, float] = {}
        self.measured: dict[str, float] = {}
        self.decomposed = 0

    def attack(self) -> None:
        """Attack every sample, all steps."""
        with torch.no_grad():
            logits = self.model(self.pixels)
        start = self._now()
        method = self.method
        attacked = self.literal.attack(
            self.model,
            self.pixels,
            self.literal.choose_targets(logits, self.classes),
            epsilon=method.epsilon,
            steps=method.attack_steps,
            step=method.step_size * method.epsilon,
            batch_size=256,
        )
        self.literal.keep_successes(self.model, attacked, self.classes, method.n_adv)
        self._record("proxies", start, self.scale)

    def decompose(self) -> None:
        """Decompose whole classes until enough proxies were seen; the concatenation is made as wide as it would be."""
        bases: dict[str, list[list[Tensor]]] = {}
        present = sorted(set(self.proxies.labels.tolist()))
        start, seen = self._now(), 0
        for k in present:
            matrices = self.literal.input_matrices(self.model, self._proxies_of(k))
            for name, groups in matrices.items():
                found = [self.literal.class_basis(matrix, self.method.energy) for matrix in groups]
                bases.setdefault(name, []).append(found)
            seen += 1
            self.decomposed += int((self.proxies.labels == k).sum())
            if self.decomposed >= self.images:
                break
        self._record("subspace", start, len(self.proxies) / self.decomposed)
        start = self._now()
        for classes in bases.values():
            for group in range(len(classes[0])):
                side_by_side = [classes[index % seen][group] for index in range(len(present))]
                self.literal.combine(side_by_side, self.method.tolerance)
        self._record("subspace", start, 1.0)

    def label(self) -> None:
        """Solve for s, one backward pass per sample and label, then gradient steps on the labels."""
        method, literal = self.method, self.literal
        names = [f"{name}.weight" for name in weight_layers(self.model)]
        chosen = slice(0, method.influence_images)
        images, labels = self.proxies.images[chosen].to(self.device), self.proxies.labels[chosen].to(self.device)
        start = self._now()
        direction = literal.cg_direction(
            self.model, images, labels, names, damping=method.damping, steps=method.cg_steps
        )
        self._record("labels", start, 1.0)
        start = self._now()
        costs = literal.influences(self.model, direction, self.pixels, self.labels.shape[1]).cpu()
        literal.optimise_labels(
            costs / costs.std(dim=1).mean(),
            self.sample.labels,
            divergence=method.influence_divergence,
            steps=LABEL_STEPS,
            rate=LABEL_RATE * costs.shape[1],
            generator=torch.Generator().manual_seed(0),
        )
        self._record("labels", start, self.scale)

    def descend(self, epochs: float) -> None:
        """Make one epoch on the part, scaled to all samples and to the epochs of the fast run."""
        subspace = self.run.subspace
        if subspace is None:
            raise TypeError("expected a run with a subspace")
        bases = {
            name: [basis[:, :rank] for basis, rank in zip(layer.basis, layer.ranks, strict=True)]
            for name, layer in subspace.layers.items()
        }
        start = self._now()
        self.literal.unlearn(
            self.model,
            bases,
            self.pixels,
            self.labels.to(self.device),
            rate=self.method.learning_rate,
            epochs=1,
            batch_size=self.method.batch_size,
        )
        self._record("unlearn", start, self.scale * epochs)

    def _proxies_of(self, k: int) -> Tensor:
        return self.proxies.images[self.proxies.labels == k].to(self.device)

    def _now(self) -> float:
        wait_for(self.device)
        return time.perf_counter()

    def _record(self, stage: str, start: float, scale: float) -> None:
        taken = self._now() - start
        self.measured[stage] = self.measured.get(stage, 0.0) + taken
        self.seconds[stage] = self.seconds.get(stage, 0.0) + taken * scale
