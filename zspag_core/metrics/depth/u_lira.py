"""U-LiRA: was an image of a forgotten class trained on? A likelihood ratio for each, from reference models."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch

from zspag_core.metrics.depth.rates import found_at
from zspag_core.metrics.depth.references import LEAST_OF_A_KIND
from zspag_core.metrics.membership import FEWEST, auc_with_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from zspag_core.metrics.depth.references import References

RATE = 1.0  # percent of strangers that are accused
SURE = 1e3  # log-odds beyond which an answer says no more: a blocked output
ROUNDING = 1e-5
"""Added to every variance: that of the rounding of two logits of 8 to 16 to float16, in which references are kept."""


@dataclass(frozen=True)
class LikelihoodRatio:
    """How well images that were trained on are told from others of their class; all in percent.

    Attributes:
        auc: area under the ROC curve; 50 where nothing is told.
        auc_ci: its 95 % bootstrap interval.
        found: share of the members above all but 1 % of the strangers, None with fewer than 100 strangers.
    """

    auc: float
    auc_ci: tuple[float, float]
    found: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a JSON file."""
        return asdict(self) | {"auc_ci": list(self.auc_ci)}


def u_lira(
    logits: Tensor, members: Tensor, references: References, forget: Sequence[int], *, seed: int
) -> LikelihoodRatio | None:
    """Tell images of forgotten classes that a model was trained on from those it was not, by their likelihood ratios.

    **Not the published attack in one point**: U-LiRA's references were trained with an image and then unlearned by the
    very method that is asked about. Here they are models as trained, and of every model, the references too, only the
    answer over the remaining classes counts, as if the forgotten outputs were blocked (the method `mask`). So one file
    serves every method, a blocked output hides nothing, and Original, Unlearned and Retrain can be compared; but an
    attack that knew the method could find more: the figure is a lower bound on what is told.

    Args:
        logits: (N, classes) of the model that is asked about.
        members: (N,) bool, which images it was trained on; the others are strangers.
        references: of the same N images.
        forget: the forgotten classes.
        seed: of the bootstrap.

    Returns:
        Percentages; None with fewer than ten members or strangers, or fewer than two remaining classes. A model that
        never saw the images has 50 but for chance.

    Raises:
        ValueError: see :func:`likelihood_ratios`.

    Source: Hayes et al., Inexact unlearning needs more careful evaluations to avoid a false sense of privacy, 2024,
    after Carlini et al., Membership inference attacks from first principles, 2022, sections V and VI.
    """
    scores = likelihood_ratios(logits, references, forget)
    if members.shape != logits.shape[:1]:
        raise ValueError(f"members: expected shape ({len(logits)},), got {tuple(members.shape)}")
    if scores is None or min(int(members.sum()), int((~members).sum())) < FEWEST:
        return None
    inside, outside = scores[members].numpy(), scores[~members].numpy()
    auc, low, high = auc_with_interval(inside, outside, seed)
    return LikelihoodRatio(auc, (low, high), found_at(inside, outside, RATE))


def reach(references: References, forget: Sequence[int]) -> float | None:
    """Compute how much the attack finds at all: every reference is asked by the others which images it was trained on.

    Near 50 it finds nothing even in models that were trained on the images and never unlearned, and then its figure of
    an unlearned model says nothing of the unlearning.

    Args:
        references: of N images of forgotten classes.
        forget: these classes; none to ask about the answer over all classes, as LiRA does.

    Returns:
        Mean AUC over the references, percent; None where too few are left without one, or it is undefined.

    Raises:
        ValueError: see :func:`likelihood_ratios`.
    """
    times = references.included.sum(dim=0)
    if not len(times) or min(int(times.min()), int((len(references) - times).min())) <= LEAST_OF_A_KIND:
        return None
    found = [_area(references, place, forget) for place in range(len(references))]
    known = [area for area in found if area is not None]
    return sum(known) / len(known) if known else None


def _area(references: References, place: int, forget: Sequence[int]) -> float | None:
    """Return the AUC of one reference, asked by the others, percent."""
    scores, inside = likelihood_ratios(references.logits[place], references.without(place), forget), references.included
    members = inside[place]
    if scores is None or not 0 < int(members.sum()) < len(members):
        return None
    above = scores[members][:, None] - scores[~members]
    return 100 * float(((above > 0) + 0.5 * (above == 0)).double().mean())


def likelihood_ratios(logits: Tensor, references: References, forget: Sequence[int]) -> Tensor | None:
    """Compute for every image the log-likelihood ratio "trained on" against "not trained on" of a model's answer.

    The answer is one number: the log-odds, among the remaining classes, of the one that the references on average take
    the image for (LiRA's scaled confidence, of that class in place of the own one, which nobody may answer with). The
    references with the image give a Gaussian of it, those without another. Each image has its own two means; the two
    variances are shared by all images, for of eight models an own one would be noise.

    Args:
        logits: (N, classes) of a model; -inf marks a blocked class.
        references: of the same N images.
        forget: the forgotten classes, whose logits have no part in it.

    Returns:
        (N,) float64, above 0 where the answer is more likely from a model that was trained on the image; None with
        fewer than two remaining classes.

    Raises:
        ValueError: the references are of other images or classes in number, or a remaining logit is NaN or +inf.
    """
    if logits.ndim != 2 or logits.shape != references.logits.shape[1:]:
        shapes = f"{tuple(logits.shape)} beside {tuple(references.logits.shape)}"
        raise ValueError(f"logits: expected (N, classes) of the references' images and classes, got {shapes}")
    stays = [k for k in range(logits.shape[1]) if k not in set(forget)]
    if len(stays) < 2:
        return None
    asked, told = logits[:, stays].double(), references.logits[:, :, stays].double()
    if not bool((asked < torch.inf).all()):
        raise ValueError("logits: expected numbers, got NaN or +inf")
    favoured = told.log_softmax(dim=2).mean(dim=0).argmax(dim=1)
    answer, answers = log_odds(asked, favoured), log_odds(told, favoured)
    inside = _log_density(answer, answers, references.included)
    return inside - _log_density(answer, answers, ~references.included)


def log_odds(logits: Tensor, classes: Tensor) -> Tensor:
    """Return the log-odds (..., N) of one class (N,) an image against all others, of logits (..., N, classes)."""
    place = classes.expand(logits.shape[:-1])[..., None]
    own, others = logits.gather(-1, place).squeeze(-1), logits.scatter(-1, place, -torch.inf).logsumexp(dim=-1)
    return (own.clamp(min=-SURE) - others.clamp(min=-SURE)).clamp(-SURE, SURE)


def _log_density(answer: Tensor, answers: Tensor, counted: Tensor) -> Tensor:
    """Return the log-density (N,) of answers (N,) by Gaussians of the references' answers (R, N) that are counted.

    One mean an image, one variance for all: the mean square within images, by the degrees of freedom that they leave.
    """
    times = counted.sum(dim=0)
    mean = torch.where(counted, answers, 0.0).sum(dim=0) / times
    spread = torch.where(counted, answers - mean, 0.0).square().sum() / (times - 1).sum() + ROUNDING
    return -0.5 * ((answer - mean).square() / spread + math.log(2 * math.pi) + spread.log())
