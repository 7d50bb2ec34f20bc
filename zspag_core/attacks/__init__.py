"""Targeted attacks, each a frozen dataclass of its hyper-parameters; one file each."""

from zspag_core.attacks.base import Attack, Attacked
from zspag_core.attacks.cw import CarliniWagner
from zspag_core.attacks.deepfool import DeepFool
from zspag_core.attacks.fgsm import FGSM
from zspag_core.attacks.pgd import PGD

ATTACKS: dict[str, type[Attack]] = {
    "pgd": PGD,
    "fgsm": FGSM,
    "cw": CarliniWagner,
    "deepfool": DeepFool,
}

__all__ = ["ATTACKS", "FGSM", "PGD", "Attack", "Attacked", "CarliniWagner", "DeepFool"]
