"""The paper's tables and figures by name: which comparisons each one is made of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zspag_core.reproduce import paper, rows
from zspag_core.reproduce.arena import Arena
from zspag_core.reproduce.cases import CASES
from zspag_core.reproduce.scale import every_image, few_images

if TYPE_CHECKING:
    from collections.abc import Callable

    from zspag_core.reproduce.plans import Plan
    from zspag_core.reproduce.scale import Scale

BY_FASHION = ("fashion_mnist-vgg", "svhn-vgg")
ONE = {
    "fashion_mnist-vgg": (3,),
    "svhn-vgg": (3,),
    "cifar10-vit": (3,),
    "cifar10-resnet": (3,),
    "cifar10-overfitted": (3,),
    "faces12-resnet": (2, 7),
    "digits-resnet": (3,),
}
THREE = (1, 3, 5)
TENTH = 10
BUDGET_NOTE = (
    "Budgets differ in size: PGD's 32/255 in each of 3,072 values allows a step of up to 6.96, that of C&W and "
    "DeepFool is 7. With 2 their proxies stop near the boundary, and the stopping rule takes their flips for "
    "damage."
)
TIMES_NOTE = (
    "All methods in one run, nothing shared between them, official settings at ten epochs where a method has epochs."
)
EVERYTHING_NOTE = (
    "Not in the paper: what a whole class of 5,000 images costs. GKT, which trains a network from nothing on invented "
    "images, is left to the table of CIFAR-100."
)
OVERFITTED_NOTE = (
    "Not in the paper: zero-shot methods alone, every row with every seed, on a model whose training images can be "
    "told from others. GKT, which trains a network from nothing on invented images, is left to the other tables."
)
DIGITS_BUDGETS = (4, 8, 16, 32, 64)
CURVES_NOTE = (
    "Rows of ε make proxies of the second-best classes alone, as the paper does (coverage second_best), rows of n_adv "
    "of all (the default): so ε = 32/255 and n_adv = 100 are two settings."
)
DIGITS_NOTE = "The paper has no digits: their model and images are small enough for every row to have every seed."
FIGURES_1 = {
    "cifar10-vit": paper.CIFAR10,
    "fashion_mnist-vgg": paper.SVHN,
    "cifar100-resnet": paper.CIFAR100,
    "faces12-resnet": paper.FACESCRUB,
    "svhn-vgg": paper.SVHN,
}


def table1(scale: Scale) -> list[Arena]:
    """Return all methods on every data set."""
    arenas = [
        Arena(
            name=f"table1-{name}",
            title=f"Table 1: {CASES[scale.name][name].title}",
            question="Which method forgets the classes and keeps the rest, and what does it need for that?",
            case=CASES[scale.name][name],
            forget=_forget(scale, name),
            plans=[*rows.references(), *rows.rivals(scale)],
            paper=figures,
        )
        for name, figures in FIGURES_1.items()
    ]
    every = rows.rivals(few_images(scale))
    zero_shot = [plan for plan in every if plan.method not in rows.INVENTING and not rows.needs_retain(plan)]
    return [
        *arenas,
        _on_request(scale, arenas[0], "digits-resnet", every, DIGITS_NOTE),
        _on_request(scale, arenas[0], "cifar10-overfitted", zero_shot, OVERFITTED_NOTE),
    ]


def table2(scale: Scale) -> list[Arena]:
    """Return all methods on three classes at once."""
    return [
        Arena(
            name=f"table2-{name}",
            title=f"Table 2: three classes of {CASES[scale.name][name].title}",
            question="Does the rest survive when three classes are forgotten at once?",
            case=CASES[scale.name][name],
            forget=THREE,
            plans=[*rows.references(), *rows.rivals(scale)],
            paper=paper.SVHN_THREE,
        )
        for name in BY_FASHION
    ]


def table3(scale: Scale) -> list[Arena]:
    """Return what becomes of a backdoor when its source class is forgotten."""
    case = CASES[scale.name]["cifar10-vit-backdoor"]
    assert case.backdoor is not None, "the case is about a backdoor"  # noqa: S101
    return [
        Arena(
            name="table3-cifar10-vit",
            title=f"Table 3: {case.title}",
            question="Does the trigger still work once the class that carries it has been forgotten?",
            case=case,
            forget=(case.backdoor[0],),
            plans=[*rows.references(), *rows.rivals(scale, ("zspag", "posterior", "finetune_zs", "boundary_shrink"))],
            paper=paper.BACKDOOR,
            notes=(
                "Methods are given the class as the model was trained on it, triggered images under the target's label "
                "included; attack accuracy is asked of triggered test images.",
            ),
        )
    ]


def table4(scale: Scale) -> list[Arena]:
    """Return ZS-PAG with each of the four attacks."""
    arena = Arena(
        name="table4-cifar10-vit",
        title=f"Table 4: {CASES[scale.name]['cifar10-vit'].title}, four attacks",
        question="Does it matter by which attack the proxies are made?",
        case=CASES[scale.name]["cifar10-vit"],
        forget=_forget(scale, "cifar10-vit"),
        plans=[*rows.references(), *rows.attacks()],
        paper=paper.ATTACKS,
    )
    plans = [*rows.attacks(), *rows.narrow_attacks()]
    return [arena, _on_request(scale, arena, "digits-resnet", plans, DIGITS_NOTE, BUDGET_NOTE)]


def table5(scale: Scale) -> list[Arena]:
    """Return ZS-PAG put together part by part."""
    arenas = [
        Arena(
            name=f"table5-{name}",
            title=f"Table 5: {CASES[scale.name][name].title}, part by part",
            question="What does the projection buy, and what do the labels?",
            case=CASES[scale.name][name],
            forget=_forget(scale, name),
            plans=[*rows.references(), *rows.arms()],
            paper=paper.ABLATIONS,
            notes=(
                "The same weights move in every arm; biases and norms are frozen. Arms make all ten epochs, without "
                f"the stopping rule; untuned arms have one learning rate in common, {rows.ARM_RATE:g}.",
            ),
        )
        for name in BY_FASHION
    ]
    return [*arenas, _on_request(scale, arenas[0], "digits-resnet", rows.arms(), DIGITS_NOTE)]


def table6(scale: Scale) -> list[Arena]:
    """Return the time that every method takes: on a class of CIFAR-100 and, on request, on all images of CIFAR-10."""
    arena = Arena(
        name="table6-cifar100-resnet",
        title=f"Table 6: {CASES[scale.name]['cifar100-resnet'].title}, wall-clock time",
        question="How long does each method take on one device, at ten epochs on the same forget samples?",
        case=CASES[scale.name]["cifar100-resnet"],
        forget=_forget(scale, "cifar100-resnet")[:1],
        plans=[*rows.references(), *rows.overhead(scale)],
        paper=paper.OVERHEAD,
        deep=False,
        timing=True,
        scale=replace(scale, retrain_epochs=scale.timed_epochs) if scale.timed_epochs else None,
        notes=(f"{TIMES_NOTE} The paper's times are of an RTX 4090.",),
    )
    whole, case = every_image(scale), CASES[scale.name]["cifar10-resnet"]
    once = whole.retain_seeds or None
    plans = [plan for plan in rows.overhead(whole) if plan.method not in rows.INVENTING]
    everything = replace(
        arena,
        name=f"table6-{case.name}",
        title=f"Table 6: {case.title}, wall-clock time on all images",
        case=case,
        forget=_forget(scale, case.name),
        plans=[*rows.references(), *(replace(plan, seeds=once) if rows.needs_retain(plan) else plan for plan in plans)],
        paper={},
        scale=whole,
        on_request=True,
        notes=(TIMES_NOTE, EVERYTHING_NOTE),
    )
    return [arena, everything]


def fig5(scale: Scale) -> list[Arena]:
    """Return the curves of ε and of the number of proxies."""
    arena = Arena(
        name="fig5-cifar10-vit",
        title=f"Figure 5: {CASES[scale.name]['cifar10-vit'].title}, ε and n_adv",
        question="How strong must the attack be, and how many proxies are needed?",
        case=CASES[scale.name]["cifar10-vit"],
        forget=_forget(scale, "cifar10-vit"),
        plans=[*rows.references(), *rows.curves()],
        paper={},
        notes=(CURVES_NOTE,),
    )
    return [arena, _on_request(scale, arena, "digits-resnet", rows.curves(DIGITS_BUDGETS), DIGITS_NOTE)]


def fig3(scale: Scale) -> list[Arena]:
    """Return where attention is compared: on faces, which stay on this machine, and on digits."""
    return [_view(scale, "fig3", name, "attention before and after") for name in ("digits-resnet", "faces12-resnet")]


def fig4(scale: Scale) -> list[Arena]:
    """Return where proxies are mapped among real samples."""
    return [_view(scale, "fig4", name, "proxies among real samples") for name in (*BY_FASHION, "cifar10-vit")]


def _on_request(scale: Scale, arena: Arena, name: str, plans: list[Plan], *notes: str) -> Arena:
    """Return the same comparison of another case, made on request only: every row with every seed, no paper beside.

    Args:
        scale: how much is computed.
        arena: the comparison.
        name: of the case, a model of few training images.
        plans: its rows beside the references.
        notes: what a reader must know beside the arena's notes.
    """
    case, known = CASES[scale.name][name], arena.case
    return replace(
        arena,
        name=arena.name.replace(known.name, case.name),
        title=arena.title.replace(known.title, case.title),
        case=case,
        forget=_forget(scale, name),
        plans=[replace(plan, seeds=None) for plan in [*rows.references(), *plans]],
        paper={},
        notes=(*arena.notes, *notes),
        on_request=True,
        scale=few_images(scale),
    )


def _view(scale: Scale, figure: str, name: str, what: str) -> Arena:
    """Return an arena without rows: ZS-PAG is run once and looked at."""
    case = CASES[scale.name][name]
    return Arena(
        name=f"{figure}-{name}",
        title=f"Figure {figure[3:]}: {case.title}, {what}",
        question="",
        case=case,
        forget=_forget(scale, name),
        plans=[],
        paper={},
    )


TABLES: dict[str, Callable[[Scale], list[Arena]]] = {
    "table1": table1,
    "table2": table2,
    "table3": table3,
    "table4": table4,
    "table5": table5,
    "table6": table6,
    "fig2": table1,
    "fig3": fig3,
    "fig4": fig4,
    "fig5": fig5,
}
"""Tables, figures that are drawn from a table's rows, and figures 3 and 4, which look at one run."""


def arenas(name: str, scale: Scale, only: str = "") -> list[Arena]:
    """Return the comparisons of a table or figure.

    Args:
        name: a key of `TABLES`.
        scale: how much is computed.
        only: the name of a case or of a comparison, to make that one alone; empty for all of the paper's.
    """
    known = TABLES[name](scale)
    if not only:
        return [arena for arena in known if not arena.on_request]
    return [arena for arena in known if only in {arena.name, arena.case.name}]


def names_of(name: str, scale: Scale) -> list[str]:
    """Return the cases of a table or figure, those that are made on request only too."""
    return [arena.case.name for arena in TABLES[name](scale)]


def _forget(scale: Scale, name: str) -> tuple[int, ...]:
    """Return the classes that are forgotten: one or two, or a tenth of CIFAR-100's."""
    if name in ONE:
        return ONE[name]
    count = len(CASES[scale.name][name].classes) or 100
    return tuple(range(3, count, TENTH))
