"""CMIA: can one tell, from how a model reads forgotten images as their neighbours, that it once knew the class?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

SPLITS = 5
FEWEST = 20  # images; half of them are shown of either model
SURE = 30.0  # log-probabilities further below the largest than this count as so far


def class_attack(logits: Tensor, retrained: Tensor, forget: Sequence[int], *, seed: int) -> float | None:
    """Tell a model from Retrain by the probabilities that forgotten images get of the remaining classes.

    Logistic regression on the logarithms of these probabilities, the forgotten classes left out and the rest made to
    sum to 1; five stratified splits. Of either model it sees other images, then the halves change places. The paper's
    text was not at hand beyond what it says of the attack (it uses the probabilities of neighbouring classes): this is
    our reading. Two trainings never agree fully, so that a second Retrain would not have 50 either.

    Args:
        logits: (N, classes) of the model that is asked about, of images of the forgotten classes.
        retrained: (N, classes) of a model that never saw them, of the same images.
        forget: the forgotten classes.
        seed: of the halves and splits.

    Returns:
        Area under the ROC curve, percent; 50 is ideal. None with fewer than 20 images or two remaining classes.

    Source: after Ebrahimpour-Boroojeny et al., Unlearning isn't forgetting (CMIA), ICML 2026.
    """
    if logits.shape != retrained.shape:
        shapes = f"{tuple(logits.shape)} and {tuple(retrained.shape)}"
        raise ValueError(f"logits: expected those of the same images by two models, got shapes {shapes}")
    stays = [k for k in range(logits.shape[1]) if k not in set(forget)]
    if len(logits) < FEWEST or len(stays) < 2:
        return None
    one, two = (_answers(part[:, stays]) for part in (logits, retrained))
    order = torch.randperm(len(logits), generator=torch.Generator().manual_seed(seed)).numpy()
    first, second = np.array_split(order, 2)
    return (_separation(one[first], two[second], seed) + _separation(one[second], two[first], seed)) / 2


def _answers(logits: Tensor) -> NDArray[Any]:
    """Return log-probabilities (N, classes)."""
    found: NDArray[Any] = logits.double().log_softmax(dim=1).clamp(min=-SURE).numpy()
    return found


def _separation(one: NDArray[Any], two: NDArray[Any], seed: int) -> float:
    """Return how well a cross-validated attack ranks answers of one model above those of the other, percent."""
    values, kinds = np.concatenate([one, two]), np.repeat([1, 0], [len(one), len(two)])
    attack = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=1000))
    splits = StratifiedKFold(SPLITS, shuffle=True, random_state=seed % 2**32)
    scores = cross_val_predict(attack, values, kinds, cv=splits, method="decision_function")
    above = scores[kinds == 1][:, None] - scores[kinds == 0]
    return 100 * float(((above > 0) + 0.5 * (above == 0)).mean())
