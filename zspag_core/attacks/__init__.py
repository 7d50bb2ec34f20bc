"""Targeted attacks, each a frozen dataclass of its hyper-parameters; one file each.

The names below are imported when they are first used: the catalogue of attacks is read where torch is not wanted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zspag_core.lazy import importer

if TYPE_CHECKING:
    from zspag_core.attacks.base import Attack as Attack
    from zspag_core.attacks.base import Attacked as Attacked
    from zspag_core.attacks.cw import CarliniWagner as CarliniWagner
    from zspag_core.attacks.deepfool import DeepFool as DeepFool
    from zspag_core.attacks.fgsm import FGSM as FGSM
    from zspag_core.attacks.pgd import PGD as PGD

_HOMES = {
    "Attack": "base",
    "Attacked": "base",
    "CarliniWagner": "cw",
    "DeepFool": "deepfool",
    "FGSM": "fgsm",
    "PGD": "pgd",
}

__all__ = [*_HOMES]  # noqa: PLE0604 - names, as the keys are

__getattr__ = importer(__name__, _HOMES)
