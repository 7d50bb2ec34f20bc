"""Which rows each table has: methods, their official settings, and the one knob by which each is tuned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zspag_core.method_names import METHOD_NAMES, REFERENCES
from zspag_core.methods import METHODS
from zspag_core.methods.zspag import PAPER
from zspag_core.reproduce.plans import Knob, Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zspag_core.methods import Method
    from zspag_core.reproduce.scale import Scale


KNOBS = {
    "zspag": Knob(name="learning_rate", low=3e-3, high=1.0),
    "posterior": Knob(name="learning_rate", low=1e-4, high=1.0),
    "finetune_zs": Knob(name="learning_rate", low=1e-4, high=1.0),
    "neggrad_zs": Knob(name="learning_rate", low=1e-5, high=0.1),
    "badt_zs": Knob(name="learning_rate", low=1e-5, high=0.01),
    "salun_zs": Knob(name="learning_rate", low=1e-5, high=0.1),
    "boundary_shrink": Knob(name="learning_rate", low=1e-5, high=0.1),
    "gkt": Knob(name="learning_rate", low=1e-4, high=0.01),
    "finetune": Knob(name="learning_rate", low=1e-4, high=0.1),
    "neggrad": Knob(name="alpha", low=1e-4, high=0.3, complement=True),
    "badt": Knob(name="learning_rate", low=1e-5, high=0.01),
    "salun": Knob(name="learning_rate", low=1e-4, high=0.1),
    "fisher": Knob(name="alpha", low=1e-9, high=1e-3),
}
"""The main knob of every method, and the same range on every data set."""

OFFICIAL: dict[str, dict[str, Any]] = {
    "finetune_zs": {"learning_rate": 0.01, "epochs": 10},
    "neggrad_zs": {"learning_rate": 0.01, "epochs": 5},
    "badt_zs": {"learning_rate": 1e-4, "epochs": 1},
    "salun_zs": {"learning_rate": 5e-4, "epochs": 10, "mask_share": 0.8},
    "boundary_shrink": {"learning_rate": 1e-5, "epochs": 10, "bound": 0.1},
    "gkt": {"learning_rate": 1e-3, "batch_size": 256},
    "finetune": {"learning_rate": 0.01, "epochs": 10},
    "neggrad": {"learning_rate": 0.01, "epochs": 5, "alpha": 0.9999},
    "badt": {"learning_rate": 1e-4, "epochs": 1, "retain_share": 0.3},
    "salun": {"learning_rate": 0.013, "epochs": 10, "mask_share": 0.5},
    "fisher": {"alpha": 1e-6, "exponent": 1.0},
}
"""Settings of the official programs."""

ROUNDS = 10
TUNED: dict[str, dict[str, Any]] = {
    "posterior": {"epochs": ROUNDS},
    "finetune_zs": {"epochs": ROUNDS},
    "neggrad_zs": {"epochs": ROUNDS},
    "badt_zs": {"epochs": ROUNDS},
    "salun_zs": {"epochs": ROUNDS},
    "boundary_shrink": {"epochs": ROUNDS},
    "finetune": {"epochs": ROUNDS},
    "badt": {"epochs": ROUNDS},
    "salun": {"epochs": ROUNDS},
    "neggrad": {"epochs": ROUNDS // 2},
}
"""Settings of tuned rows beside the knob: ten epochs for all; one of Neggrad has as many forget as remaining images."""

LABELS = {key: name for key, name in METHOD_NAMES.items() if key not in REFERENCES} | {
    "posterior": "Posterior labels, no projection",
    "finetune_zs": "Random labels (FT-zs)",
    "boundary_shrink": "Boundary shrink (BU)",
}
"""What the rows are called, in the order of the tables: the methods' names, three of them with a word more."""


def known_methods() -> dict[str, type[Method]]:
    """Return every method by its key."""
    return {method.name: method for method in METHODS}


def references(retrain: str = "Retrain") -> list[Plan]:
    """Return the rows between which all others lie: nothing done, logits masked, trained anew."""
    return [
        Plan(key="original", label="Original", method=None, kind="reference", paper="original", seeds=1),
        Plan(key="mask", label="Mask (nothing is learnt)", method="mask", kind="reference", seeds=1),
        Plan(key="retrain", label=retrain, method="retrain", kind="reference", paper="retrain"),
    ]


def official(method: str, scale: Scale) -> Plan:
    """Return a rival's row with official settings; the posterior rival, which is ours, has its defaults."""
    settings = _sized(method, scale) | OFFICIAL.get(method, {})
    kind = "official" if method in OFFICIAL else "default"
    seeds = scale.official_seeds or None
    return Plan(
        key=method, label=LABELS[method], method=method, kind=kind, settings=settings, paper=method, seeds=seeds
    )


def tuned(method: str, scale: Scale) -> Plan:
    """Return a method's row with its knob tuned."""
    return Plan(
        key=f"{method}_tuned",
        label=LABELS[method],
        method=method,
        kind="tuned",
        settings=_sized(method, scale) | TUNED.get(method, {}),
        knob=KNOBS[method],
        paper=method,
        seeds=(scale.retain_seeds or None) if known_methods()[method].needs_retain else None,
    )


def rivals(scale: Scale, methods: tuple[str, ...] = tuple(LABELS)) -> list[Plan]:
    """Return ZS-PAG and its rivals, each as given and tuned."""
    rows = []
    for method in methods:
        if method == "zspag":
            rows.append(Plan(key="zspag", label=LABELS[method], method=method, paper=method))
            rows.append(
                Plan(
                    key="zspag_paper",
                    label="ZS-PAG, as the paper describes it",
                    method=method,
                    kind="official",
                    settings=PAPER,
                    paper=method,
                    seeds=scale.official_seeds or None,
                )
            )
        else:
            rows.append(official(method, scale))
        if method != "gkt" or scale.name == "full":
            rows.append(tuned(method, scale))
    return rows


def needs_retain(plan: Plan) -> bool:
    """Tell whether a row's method is given remaining data."""
    return plan.method is not None and known_methods()[plan.method].needs_retain


def overhead(scale: Scale) -> list[Plan]:
    """Return every method at ten epochs, where it has epochs, and ZS-PAG as it is."""
    rows = [
        Plan(
            key="zspag",
            label="ZS-PAG, ten epochs",
            method="zspag",
            settings={"epochs": ROUNDS, "stop_rule": False},
            paper="zspag",
        ),
        Plan(key="zspag_rule", label="ZS-PAG, stopping by its rule", method="zspag"),
        Plan(
            key="zspag_paper",
            label="ZS-PAG, as the paper describes it",
            method="zspag",
            kind="official",
            settings=PAPER,
        ),
    ]
    for method in LABELS:
        if method == "zspag":
            continue
        row = official(method, scale)
        has_epochs = "epochs" in known_methods()[method].__dataclass_fields__ and method != "gkt"
        settings = dict(row.settings) | ({"epochs": ROUNDS} if has_epochs else {})
        rows.append(replace(row, settings=settings, seeds=None))
    return rows


def attacks() -> list[Plan]:
    """Return ZS-PAG with each attack."""
    names = {"pgd": "PGD", "fgsm": "FGSM", "cw": "C&W", "deepfool": "DeepFool"}
    return [
        Plan(
            key=attack,
            label=f"ZS-PAG with {name}",
            method="zspag",
            kind="default" if attack == "pgd" else "ablation",
            settings={} if attack == "pgd" else {"attack": attack},
            paper=attack,
        )
        for attack, name in names.items()
    ]


NARROW = 2.0
"""A Euclidean budget well below PGD's reach, at which proxies may stop near the boundary."""


def narrow_attacks() -> list[Plan]:
    """Return the attacks that have a Euclidean budget with a narrow one: shallow proxies protect less."""
    return [
        replace(
            plan,
            key=f"{plan.key}_narrow",
            label=f"{plan.label}, L2 budget {NARROW:g}",
            settings={**plan.settings, "epsilon_l2": NARROW},
            paper="",
        )
        for plan in attacks()
        if plan.key in {"cw", "deepfool"}
    ]


ARM = {"stop_rule": False, "epochs": 10}
ARM_RATE = 0.03
ARMS = {
    "rl": ("Random labels (RL)", {"subspace": "none", "label_mode": "random"}),
    "random_rl": ("Random subspace + RL", {"subspace": "random", "label_mode": "random"}),
    "estimated_rl": ("Estimated subspace + RL", {"subspace": "estimated", "label_mode": "random"}),
    "posterior": ("Posterior labels alone", {"subspace": "none", "label_mode": "posterior"}),
    "estimated_posterior": ("Estimated subspace + posterior labels", {"label_mode": "posterior"}),
    "estimated_influence": ("Estimated subspace + labels by influence", {"label_mode": "influence_anchored"}),
}


def arms() -> list[Plan]:
    """Return the parts of ZS-PAG put together one by one, at one common step length and tuned, then the whole."""
    rows = []
    for key, (label, settings) in ARMS.items():
        given = ARM | settings
        paper = "zspag" if key == "estimated_influence" else key
        common = given | {"learning_rate": ARM_RATE}
        rows.append(Plan(key=key, label=label, method="zspag", kind="ablation", settings=common, paper=paper))
        rows.append(
            Plan(
                key=f"{key}_tuned",
                label=label,
                method="zspag",
                kind="tuned",
                settings=given,
                knob=Knob(name="learning_rate", low=1e-4, high=1.0),
                paper=paper,
            )
        )
    return [*rows, Plan(key="zspag", label="ZS-PAG", method="zspag", paper="zspag")]


BUDGETS = (0.5, 1, 2, 4, 8, 16, 32)
QUOTAS = (3, 10, 30, 100)


def curves(budgets: Sequence[float] = BUDGETS) -> list[Plan]:
    """Return the rows of figure 5: perturbation budgets, and numbers of proxies with and without pseudo-labels."""
    rows = [
        Plan(
            key=f"epsilon_{budget:g}",
            label=f"ε = {budget:g}/255",
            method="zspag",
            kind="ablation",
            settings={"epsilon": budget / 255, "coverage": "second_best"},
        )
        for budget in budgets
    ]
    for quota in QUOTAS:
        for key, words, labels in (("", "pseudo-labels", "posterior"), ("_rl", "random labels", "random")):
            rows.append(
                Plan(
                    key=f"n_adv_{quota}{key}",
                    label=f"{words}, n_adv = {quota}",
                    method="zspag",
                    kind="ablation",
                    settings={"n_adv": quota, "label_mode": labels},
                )
            )
    return rows


def _sized(method: str, scale: Scale) -> dict[str, Any]:
    """Return settings that depend on the scale."""
    if method == "gkt":
        rounds = max(
            1, min(ROUNDS, scale.invented_batches // ROUNDS)
        )  # a round in which no batch is of use is an error
        return {"epochs": rounds, "batches": scale.invented_batches // rounds}
    return {"fisher_images": scale.fisher_images} if method == "fisher" else {}
