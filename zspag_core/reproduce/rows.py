"""Which rows each table has: methods, their official settings, and the one knob by which each is tuned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zspag_core.attacks.catalogue import BUILT_IN as ATTACKS
from zspag_core.methods import find_method
from zspag_core.methods.catalogue import PAPER, TuningRange, find_entry, method_entries
from zspag_core.reproduce.comparison import BLIND
from zspag_core.reproduce.row_plan import RowPlan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zspag_core.reproduce.scale import Scale

ROUNDS = 10
"""Epochs of rows that compare times."""
INVENTING = frozenset({"gkt", "ispf"})
"""Methods that learn from invented images, whose epochs are no passes over data."""
INVENTED_BY_GKT = 4000
"""Batches that GKT's authors let it learn from; a scale with fewer takes the same share of ISPF's epochs."""


def methods() -> tuple[str, ...]:
    """Return the methods that have rows, in the order of the tables: all but those that others are measured against."""
    return tuple(key for key, entry in method_entries().items() if not entry.reference)


def references(retrain: str = "Retrain") -> list[RowPlan]:
    """Return the rows between which all others lie: nothing done, logits masked, trained anew."""
    return [
        RowPlan(key="original", label="Original", method=None, kind="reference", paper="original", seeds=1),
        RowPlan(key="mask", label="Mask (nothing is learnt)", method="mask", kind="reference", seeds=1),
        RowPlan(key="retrain", label=retrain, method="retrain", kind="reference", paper="retrain"),
    ]


def official(method: str, scale: Scale) -> RowPlan:
    """Return a rival's row with official settings; the posterior rival, which is ours, has its defaults."""
    entry = find_entry(method)
    return RowPlan(
        key=method,
        label=entry.label,
        method=method,
        kind="official" if entry.official else "default",
        settings={**entry.official, **_sized(method, scale)},
        paper=method,
        seeds=scale.official_seeds or None,
    )


def tuned(method: str, scale: Scale) -> RowPlan:
    """Return a method's row with its knob tuned."""
    entry = find_entry(method)
    return RowPlan(
        key=f"{method}_tuned",
        label=entry.label,
        method=method,
        kind="tuned",
        settings={**_sized(method, scale), **entry.tuned},
        knob=entry.tuning,
        paper=method,
        seeds=(scale.retain_seeds or None) if entry.needs_retain else None,
    )


def blindly_tuned(method: str, scale: Scale) -> RowPlan:
    """Return a zero-shot method's row, its knob tuned by what such a method may see."""
    return replace(tuned(method, scale), key=f"{method}_{BLIND}", kind=BLIND, blind=True)


def rivals(scale: Scale, some: tuple[str, ...] | None = None) -> list[RowPlan]:
    """Return ZS-PAG and its rivals, all or some, each as given and tuned."""
    rows = []
    for method in methods() if some is None else some:
        if method == "zspag":
            rows.append(RowPlan(key="zspag", label=find_entry(method).label, method=method, paper=method))
            rows.append(
                RowPlan(
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
        if find_entry(method).tuning is not None and (method != "gkt" or scale.name == "full"):
            rows.append(tuned(method, scale))
            if not find_entry(method).needs_retain:
                rows.append(blindly_tuned(method, scale))
    return rows


def needs_retain(plan: RowPlan) -> bool:
    """Tell whether a row's method is given remaining data."""
    return plan.method is not None and find_entry(plan.method).needs_retain


def overhead(scale: Scale) -> list[RowPlan]:
    """Return every method at ten epochs, where it has epochs, and ZS-PAG as it is."""
    rows = [
        RowPlan(
            key="zspag",
            label="ZS-PAG, ten epochs",
            method="zspag",
            settings={"epochs": ROUNDS, "stop_rule": False},
            paper="zspag",
        ),
        RowPlan(key="zspag_rule", label="ZS-PAG, stopping by its rule", method="zspag"),
        RowPlan(
            key="zspag_paper",
            label="ZS-PAG, as the paper describes it",
            method="zspag",
            kind="official",
            settings=PAPER,
        ),
    ]
    for method in methods():
        if method == "zspag":
            continue
        row = official(method, scale)
        has_epochs = "epochs" in find_method(method).__dataclass_fields__ and method not in INVENTING
        settings = dict(row.settings) | ({"epochs": ROUNDS} if has_epochs else {})
        rows.append(replace(row, settings=settings, seeds=None))
    return rows


def attacks() -> list[RowPlan]:
    """Return ZS-PAG with each attack."""
    return [
        RowPlan(
            key=attack.key,
            label=f"ZS-PAG with {attack.title}",
            method="zspag",
            kind="default" if attack.key == "pgd" else "ablation",
            settings={} if attack.key == "pgd" else {"attack": attack.key},
            paper=attack.key,
        )
        for attack in ATTACKS
    ]


NARROW = 2.0
"""A Euclidean budget well below PGD's reach, at which proxies may stop near the boundary."""


def narrow_attacks() -> list[RowPlan]:
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


def arms() -> list[RowPlan]:
    """Return the parts of ZS-PAG put together one by one, at one common step length and tuned, then the whole."""
    rows = []
    for key, (label, settings) in ARMS.items():
        given = ARM | settings
        paper = "zspag" if key == "estimated_influence" else key
        common = given | {"learning_rate": ARM_RATE}
        rows.append(RowPlan(key=key, label=label, method="zspag", kind="ablation", settings=common, paper=paper))
        rows.append(
            RowPlan(
                key=f"{key}_tuned",
                label=label,
                method="zspag",
                kind="tuned",
                settings=given,
                knob=TuningRange(name="learning_rate", low=1e-4, high=1.0),
                paper=paper,
            )
        )
    return [*rows, RowPlan(key="zspag", label="ZS-PAG", method="zspag", paper="zspag")]


BUDGETS = (0.5, 1, 2, 4, 8, 16, 32)
QUOTAS = (3, 10, 30, 100)


def curves(budgets: Sequence[float] = BUDGETS) -> list[RowPlan]:
    """Return the rows of figure 5: perturbation budgets, and numbers of proxies with and without pseudo-labels."""
    rows = [
        RowPlan(
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
                RowPlan(
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
    if method == "ispf":
        whole = find_entry(method).official["epochs"]
        return {"epochs": max(1, whole * scale.invented_batches // INVENTED_BY_GKT)}
    return {"fisher_images": scale.fisher_images} if method == "fisher" else {}
