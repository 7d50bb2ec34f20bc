"""How many members an attack finds while it accuses next to no stranger: an average understates what a few risk."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zspag_core.metrics.membership import FEWEST

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zspag_core.metrics.predictions import LabelledLogits

RATES = (0.1, 1.0)  # percent of strangers that are accused


def true_positive_rates(forget_train: LabelledLogits, forget_test: LabelledLogits) -> dict[str, float | None]:
    """Compute which share of the members the same-class attack finds at low false positive rates.

    The attack is the threshold on the loss: members are taken to be on the side on which their mean lies.

    Args:
        forget_train: members of the original training set.
        forget_test: samples of the same classes that were never trained on.

    Returns:
        {"0.1": percent of members beyond a threshold that 0.1 % of the strangers are beyond, "1": the same at 1 %};
        None where there are too few strangers for such a share, or fewer than ten of either. Chance is the rate itself.

    Source: Carlini et al., Membership inference attacks from first principles, 2022, section III; the attack is that
    of Yeom et al., 2018.
    """
    losses = forget_train.loss.numpy(), forget_test.loss.numpy()
    if min(map(len, losses)) < FEWEST:
        return dict.fromkeys((f"{rate:g}" for rate in RATES), None)
    sign = -1 if losses[0].mean() <= losses[1].mean() else 1
    return {f"{rate:g}": found_at(sign * losses[0], sign * losses[1], rate) for rate in RATES}


def found_at(members: NDArray[np.float64], strangers: NDArray[np.float64], rate: float) -> float | None:
    """Return the share of members, percent, whose score is above all but `rate` percent of the strangers' scores."""
    allowed = int(len(strangers) * rate / 100 + 1e-9)
    if not allowed:
        return None
    threshold = np.sort(strangers)[-allowed - 1] if allowed < len(strangers) else -np.inf
    return 100 * float(np.mean(members > threshold))
