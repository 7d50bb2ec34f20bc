"""How the lines of accuracies are named and coloured, the same in every chart: key of the figure, name, colour."""

from __future__ import annotations

from ui.figures.palette import FORGOTTEN, PROXY, REMAINING
from zspag_core.metrics.catalogue import ACC_RT, ACC_UT, ASR, FORGET_IMAGES, PROXY_AGREEMENT, in_sentence

ACCURACIES = ((ACC_RT.key, "remaining", REMAINING), (ACC_UT.key, "forgotten", FORGOTTEN))
ATTACKS = (ASR.key, in_sentence(ASR.name), PROXY)
ESTIMATES = (
    (PROXY_AGREEMENT.per_epoch, in_sentence(PROXY_AGREEMENT.title), REMAINING),
    (FORGET_IMAGES.per_epoch, in_sentence(FORGET_IMAGES.title), FORGOTTEN),
)
"""What stands in for accuracy on test images where there are none."""
