"""Erase forgotten classes at the output of a network's stages, without remaining data (the method `erase`).

Four steps, all from the network and forget images alone:

1. *Recall*: BatchNorm's running statistics are means over all training data. Less the forget images' share they are
   those of the remaining data, which nobody has any more.
2. *Stand-ins*: forget images are moved towards the remaining classes, guided by these statistics.
3. *Erase*: a linear score of what enters a stage's last convolution tells forget images from stand-ins. A multiple of
   it, one number a channel, is taken off what that convolution writes, so that after the ReLU the forget images' mean
   is that of the remaining data. No step is iterated but the search for these numbers, channel by channel.
4. *Refit*: the layers above learn, from stand-ins, to answer as the original did, and forget images to look there like
   stand-ins that are answered alike (*alignment*). The forgotten outputs begin anew before.

Trials and what failed: docs/depth.md, "Erasing stage by stage".
"""

from zspag_core.erasing.erase import erase
from zspag_core.erasing.recall import Disturbance, rest_statistics
from zspag_core.erasing.refit import Course, outputs_anew, refit
from zspag_core.erasing.stand_ins import StandIns, synthesise
from zspag_core.erasing.written import Stage, Written, last_stages

__all__ = [
    "Course",
    "Disturbance",
    "Stage",
    "StandIns",
    "Written",
    "erase",
    "last_stages",
    "outputs_anew",
    "refit",
    "rest_statistics",
    "synthesise",
]
