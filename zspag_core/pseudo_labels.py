"""Stage 3: the soft labels that forget samples are trained on, chosen for what they do to the rest (paper 3.4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Sequence

MODES = ("posterior", "influence_anchored", "influence", "second_best", "random")
INFLUENCE_MODES = ("influence", "influence_anchored")
SIGNS = ("training", "removing")
LABEL_STEPS = 200
LABEL_RATE = 0.1


@dataclass(frozen=True)
class PseudoLabels:
    """Soft labels of the forget samples.

    Attributes:
        labels: (N, classes) float, rows sum to 1.
        mode: how they were chosen.
        influence_before: mean predicted change of the proxies' loss, in nats per unit step, had the model's own
            posterior been used; None where influence was not computed.
        influence_after: the same with these labels.
        residual: relative residual of the inverse-curvature direction.
        projected_share: ‖P s‖ / ‖s‖ of that direction.
        influences: c (N, classes) float, where it was computed.
    """

    labels: Tensor
    mode: str
    influence_before: float | None = None
    influence_after: float | None = None
    residual: float | None = None
    projected_share: float | None = None
    influences: Tensor | None = None


def barred_labels(labels: Tensor, classes: Sequence[int], num_classes: int) -> Tensor:
    """Return what each forget sample must not be aimed at, taught or still read as, (N, C) bool.

    These are the forgotten classes and the label that the sample had in training. The two differ where a backdoor was
    planted: an image of a forgotten class that was trained under another label keeps its trigger otherwise. A label
    that is the only one left is not barred.

    Args:
        labels: (N,) int64, of the forget samples in training.
        classes: the forgotten classes.
        num_classes: C.
    """
    forgotten = torch.zeros(num_classes, dtype=torch.bool)
    forgotten[list(classes)] = True
    barred = F.one_hot(labels, num_classes).bool() | forgotten
    return torch.where(barred.all(1, keepdim=True), forgotten, barred)


def posterior_labels(logits: Tensor, barred: Tensor) -> Tensor:
    """Return the model's own probabilities (N, C) with the barred labels removed and the rest renormalised."""
    return logits.float().masked_fill(barred, -torch.inf).softmax(1)


def second_best_labels(logits: Tensor, barred: Tensor) -> Tensor:
    """Return one-hot labels (N, C) of the best class that is not barred."""
    posterior = posterior_labels(logits, barred)
    return F.one_hot(posterior.argmax(1), logits.shape[1]).float()


def random_labels(barred: Tensor, generator: torch.Generator) -> Tensor:
    """Return one-hot labels (N, C) drawn evenly from the classes that are not barred, (N, C) bool."""
    open_first, counts = barred.int().argsort(dim=1, stable=True), (~barred).sum(1)
    drawn = torch.zeros(len(barred), dtype=torch.int64)
    for count in counts.unique().tolist():
        rows = counts == count
        drawn[rows] = torch.randint(count, (int(rows.sum()),), generator=generator)
    return F.one_hot(open_first.gather(1, drawn[:, None]).squeeze(1), barred.shape[1]).float()


def influence_labels(
    influences: Tensor,
    true_labels: Tensor,
    barred: Tensor,
    *,
    sign: str,
    divergence: float,
    generator: torch.Generator,
) -> Tensor:
    """Optimise labels from a random start, as the paper writes it.

    Minimises Σ_k y_k (± c_k) / sd(c) - divergence * KL(true label ‖ y), whose second term pushes y away from the true
    label without a bound; so the number and size of the steps are part of the method. The gradient is in closed form,
    no pass through the network is needed.

    Args:
        influences: c (N, C), see :func:`zspag_core.influence.label_influences`.
        true_labels: (N,) int64, in training.
        barred: (N, C) bool; of these, the ones that are not a sample's own label get no weight.
        sign: "removing" minimises +c (Eq. 10: the sample is removed), "training" minimises -c (it is trained on).
        divergence: weight of the KL term.
        generator: source of the random start.

    Source: Chen et al., ZS-PAG, equation 10 and the paragraph after it.
    """
    cost = _standardised(influences) * (1 if sign == "removing" else -1)
    truth = F.one_hot(true_labels, cost.shape[1]).float()
    u = torch.randn(cost.shape, generator=generator).masked_fill(barred & (truth == 0), -torch.inf)
    for _ in range(LABEL_STEPS):
        y = u.softmax(1)
        gradient = y * (cost - (y * cost).sum(1, keepdim=True)) + divergence * (truth - y)
        u -= LABEL_RATE * cost.shape[1] * gradient
    return u.softmax(1)


def anchored_labels(influences: Tensor, logits: Tensor, barred: Tensor, *, sign: str, trust: float) -> Tensor:
    """Tilt the posterior towards helpful labels inside a trust region, in closed form: y ∝ q exp(∓ c / (trust sd(c))).

    That y minimises Σ_k y_k (± c_k) / sd(c) + trust * KL(y ‖ q), q the posterior without the barred labels.

    Args:
        influences: c (N, C).
        logits: (N, C) of the original model.
        barred: (N, C) bool, the labels that get no weight.
        sign: as in :func:`influence_labels`.
        trust: larger stays nearer to the posterior.
    """
    cost = _standardised(influences) * (1 if sign == "removing" else -1)
    tilted = posterior_labels(logits, barred).clamp_min(torch.finfo(torch.float32).tiny).log() - cost / trust
    return tilted.masked_fill(barred, -torch.inf).softmax(1)


def predicted_change(influences: Tensor, labels: Tensor) -> float:
    """Return the mean change of the proxies' loss when the samples are trained on with these labels: -mean Σ y c."""
    return -float((labels * influences).sum(1).mean())


def _standardised(influences: Tensor) -> Tensor:
    """Return c divided by its standard deviation within each row, averaged over the rows."""
    return influences / influences.std(dim=1).mean().clamp_min(1e-12)
