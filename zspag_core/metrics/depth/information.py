"""IDI: mutual information between a stage's features and the forget label, by InfoNCE, against Original and Retrain."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from zspag_core.devices import chance
from zspag_core.metrics.depth.bits import FEWEST, fewest
from zspag_core.metrics.depth.stages import check_pair, standardised
from zspag_core.progress import SILENT, Reporter

if TYPE_CHECKING:
    from collections.abc import Sequence

STEPS, CHECK_EVERY = 300, 10
BATCH = 256
HIDDEN, JOINT = 128, 32
HELD = 0.25  # of the training images, by which the critic is chosen
RATE = 2e-3
LEAST_GAP = 0.02  # bits a stage between Original and Retrain, below which their difference is no yardstick


class Critic(nn.Module):
    """Scores f(z, y) = g(z) · h(y): a small network of the features, and one learned vector for either label."""

    def __init__(self, width: int) -> None:
        """Build it for features of so many columns."""
        super().__init__()
        self.look = nn.Sequential(nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, JOINT))
        self.labels = nn.Embedding(2, JOINT)
        self.double()

    def forward(self, features: Tensor) -> Tensor:
        """Return the scores (N, 2) of both labels for features (N, D)."""
        scores: Tensor = self.look(features) @ self.labels.weight.T / JOINT**0.5
        return scores


def infonce(scores: Tensor, labels: Tensor) -> Tensor:
    """Compute InfoNCE's lower bound on mutual information, in bits.

    Args:
        scores: (N, 2) float, f(z, y) of every sample with either label.
        labels: (N,) int64, 0 or 1.

    Returns:
        The mean over samples i of log2 of exp f(z_i, y_i) over the mean of exp f(z_i, y_j) over all samples j.

    Source: van den Oord et al., Representation learning with contrastive predictive coding, 2018.
    """
    portions = torch.bincount(labels, minlength=2).to(scores.dtype) / len(labels)
    own = scores.gather(1, labels[:, None]).squeeze(1)
    return (own - torch.logsumexp(scores + portions.log(), dim=1)).mean() / math.log(2)


def information(
    features_train: Tensor,
    forgotten_train: Tensor,
    features_test: Tensor,
    forgotten_test: Tensor,
    seed: int,
    report: Reporter = SILENT,
) -> float | None:
    """Estimate the mutual information between a stage's features and whether an image is of a forgotten class.

    A critic of two layers learns InfoNCE's bound on three quarters of the training images, drawn so that both kinds
    count the same; the step at which the other quarter is told most is taken, and the bound is computed on test images.
    As published the critic is the rest of the network on whole maps; here it is small and sees features averaged over
    space, so that any classifier can be asked and a run takes seconds.

    Args:
        features_train: (N, D) float64.
        forgotten_train: (N,) bool.
        features_test: (M, D) float64.
        forgotten_test: (M,) bool.
        seed: of the critic and the draws.
        report: receives progress now and then, as stage "information".

    Returns:
        Bits in [0, 1]; None with fewer than eight images of a kind.

    Raises:
        ValueError: shapes do not fit or a feature is not finite.

    Source: Jeon et al., An information theoretic evaluation metric for strong unlearning, AAAI 2026.
    """
    check_pair([features_train, features_test], [forgotten_train, forgotten_test])
    if fewest(forgotten_train, forgotten_test) < FEWEST:
        return None
    train, test = standardised(features_train, features_test)
    with chance(seed, torch.device("cpu")), torch.enable_grad():
        critic = _trained(train, forgotten_train, report)
    return max(0.0, _bound(critic, test, forgotten_test))


def idi(after: Sequence[float], original: Sequence[float], retrained: Sequence[float]) -> float | None:
    """Compute the Information Difference Index over the stages.

    Args:
        after: information at every stage of the unlearned model, bits.
        original: likewise of the original.
        retrained: likewise of a model that never saw the classes.

    Returns:
        Σ (after − retrained) / Σ (original − retrained): 1 as the original, 0 as Retrain, below 0 less than that. None
        where the original knows hardly more than Retrain, 0.02 bits a stage, or there is no stage.

    Source: Jeon et al., AAAI 2026, the definition of IDI.
    """
    whole = sum(original) - sum(retrained)
    if not original or whole <= LEAST_GAP * len(original):
        return None
    return (sum(after) - sum(retrained)) / whole


def _trained(features: Tensor, marks: Tensor, report: Reporter) -> Critic:
    """Train a critic on features (N, D) and marks (N,) bool; return it as it was at its best on those held back."""
    critic = Critic(features.shape[1])
    groups = [
        part[torch.randperm(len(part))] for part in (torch.nonzero(~marks).flatten(), torch.nonzero(marks).flatten())
    ]
    held = [part[: max(1, round(HELD * len(part)))] for part in groups]
    learnt = [part[len(back) :] for part, back in zip(groups, held, strict=True)]
    asked = torch.cat(held)
    optimiser = torch.optim.AdamW(critic.parameters(), RATE, weight_decay=1e-2)
    best, state = -math.inf, critic.state_dict()
    for step in range(STEPS):
        if step % CHECK_EVERY == 0:
            report.progress("information", step, STEPS)
            found = _bound(critic, features[asked], marks[asked])
            if found > best:
                best, state = found, {name: value.clone() for name, value in critic.state_dict().items()}
        place = torch.cat([part[torch.randint(len(part), (BATCH // 2,))] for part in learnt])
        loss = -infonce(critic(features[place]), marks[place].long())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    critic.load_state_dict(state)
    return critic


@torch.no_grad()
def _bound(critic: Critic, features: Tensor, marks: Tensor) -> float:
    """Return the bound on features (N, D) whose marks (N,) bool count the same."""
    scores = critic(features)
    odds = scores[:, 1] - scores[:, 0]
    losses = F.softplus(torch.where(marks, -odds, odds)) / math.log(2)
    return 1 - float(losses[marks].mean() + losses[~marks].mean()) / 2
