"""All unlearning methods: one file each (or one a family), one explicit tuple."""

from __future__ import annotations

from typing import Any

from zspag_core.errors import UsageError
from zspag_core.hyperparameters import schema
from zspag_core.methods.badt import BadTeaching, BadTeachingZS
from zspag_core.methods.base import Method, RetainMethod, Unlearned, ZeroShotMethod
from zspag_core.methods.boundary_shrink import BoundaryShrink
from zspag_core.methods.finetune import Finetune
from zspag_core.methods.fisher import Fisher
from zspag_core.methods.gkt import GKT
from zspag_core.methods.mask import Mask
from zspag_core.methods.neggrad import NegGrad, NegGradZS
from zspag_core.methods.relabel import Posterior, RandomLabels
from zspag_core.methods.retrain import Retrain
from zspag_core.methods.salun import SalUn, SalUnZS
from zspag_core.methods.zspag import PAPER, ZSPAG

METHODS: tuple[type[Method], ...] = (
    ZSPAG,
    Posterior,
    RandomLabels,
    NegGradZS,
    BadTeachingZS,
    SalUnZS,
    BoundaryShrink,
    GKT,
    Mask,
    Retrain,
    Finetune,
    NegGrad,
    BadTeaching,
    SalUn,
    Fisher,
)

PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "zspag": {
        "paper": PAPER,
        "no projection": {"subspace": "none", "learning_rate": 0.01},
        "random subspace": {"subspace": "random"},
        "random labels": {"label_mode": "random"},
        "tiny epsilon": {"epsilon": 4 / 255},
        "deep": {"n_adv": 1000, "fill": 1.0, "narrow": 20},
    },
    "finetune": {"official": {"learning_rate": 0.01}},
    "finetune_zs": {"official": {"learning_rate": 0.01}},
    "neggrad": {"official": {"learning_rate": 0.01, "alpha": 0.9999}},
    "neggrad_zs": {"official": {"learning_rate": 0.01}},
    "badt": {"official": {"epochs": 1, "learning_rate": 1e-4, "retain_share": 0.3}},
    "badt_zs": {"official": {"epochs": 1, "learning_rate": 1e-4}},
    "salun": {"official": {"learning_rate": 0.013}},
    "salun_zs": {"official": {"learning_rate": 5e-4}},
    "boundary_shrink": {"official": {"learning_rate": 1e-5, "bound": 0.1}},
    "fisher": {"official": {"exponent": 1.0, "fisher_images": 0}},
    "gkt": {"official": {"epochs": 40, "batches": 100, "batch_size": 256}},
}
"""Named settings of a method, by the method's name."""

ATTACK_KNOBS: dict[str, tuple[str, ...]] = {
    "pgd": ("epsilon", "attack_steps", "step_size", "random_start", "attack_confidence"),
    "fgsm": ("epsilon", "attack_confidence"),
    "cw": ("epsilon_l2", "attack_steps", "cw_searches", "cw_rate", "attack_confidence"),
    "deepfool": ("epsilon_l2", "attack_steps", "overshoot", "attack_confidence"),
}
"""The settings of zspag that each attack reads, beside `attack` itself."""


def find_method(name: str) -> type[Method]:
    """Return the method of that name.

    Raises:
        UsageError: there is none.
    """
    for method in METHODS:
        if method.name == name:
            return method
    raise UsageError(f"method: expected one of {', '.join(method.name for method in METHODS)}, got {name!r}")


def describe_methods() -> list[dict[str, Any]]:
    """Return name, title, needs_retain and the parameters' schema of every method."""
    return [
        {"name": m.name, "title": m.title, "needs_retain": m.needs_retain, "parameters": schema(m)} for m in METHODS
    ]


__all__ = [
    "ATTACK_KNOBS",
    "METHODS",
    "PRESETS",
    "Method",
    "RetainMethod",
    "Unlearned",
    "ZeroShotMethod",
    "describe_methods",
    "find_method",
]
