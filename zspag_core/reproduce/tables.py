"""The paper's tables and figures by name: which comparisons each one is made of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zspag_core.reproduce import paper, rows
from zspag_core.reproduce.experiment import Experiment
from zspag_core.reproduce.scale import every_image, few_images
from zspag_core.reproduce.setups import SETUPS

if TYPE_CHECKING:
    from collections.abc import Callable

    from zspag_core.reproduce.row_plan import RowPlan
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


def table1(scale: Scale) -> list[Experiment]:
    """Return all methods on every data set."""
    experiments = [
        Experiment(
            name=f"table1-{name}",
            title=f"Table 1: {SETUPS[scale.name][name].title}",
            question="Which method forgets the classes and keeps the rest, and what does it need for that?",
            setup=SETUPS[scale.name][name],
            forget=_forget(scale, name),
            plans=[*rows.references(), *rows.rivals(scale)],
            paper=figures,
        )
        for name, figures in FIGURES_1.items()
    ]
    every = rows.rivals(few_images(scale))
    zero_shot = [plan for plan in every if plan.method not in rows.INVENTING and not rows.needs_retain(plan)]
    return [
        *experiments,
        _on_request(scale, experiments[0], "digits-resnet", every, DIGITS_NOTE),
        _on_request(scale, experiments[0], "cifar10-overfitted", zero_shot, OVERFITTED_NOTE),
    ]


def table2(scale: Scale) -> list[Experiment]:
    """Return all methods on three classes at once."""
    return [
        Experiment(
            name=f"table2-{name}",
            title=f"Table 2: three classes of {SETUPS[scale.name][name].title}",
            question="Does the rest survive when three classes are forgotten at once?",
            setup=SETUPS[scale.name][name],
            forget=THREE,
            plans=[*rows.references(), *rows.rivals(scale)],
            paper=paper.SVHN_THREE,
        )
        for name in BY_FASHION
    ]


def table3(scale: Scale) -> list[Experiment]:
    """Return what becomes of a backdoor when its source class is forgotten."""
    setup = SETUPS[scale.name]["cifar10-vit-backdoor"]
    assert setup.backdoor is not None, "the setup is about a backdoor"  # noqa: S101
    return [
        Experiment(
            name="table3-cifar10-vit",
            title=f"Table 3: {setup.title}",
            question="Does the trigger still work once the class that carries it has been forgotten?",
            setup=setup,
            forget=(setup.backdoor[0],),
            plans=[*rows.references(), *rows.rivals(scale, ("zspag", "posterior", "finetune_zs", "boundary_shrink"))],
            paper=paper.BACKDOOR,
            notes=(
                "Methods are given the class as the model was trained on it, triggered images under the target's label "
                "included; attack accuracy is asked of triggered test images.",
            ),
        )
    ]


def table4(scale: Scale) -> list[Experiment]:
    """Return ZS-PAG with each of the four attacks."""
    experiment = Experiment(
        name="table4-cifar10-vit",
        title=f"Table 4: {SETUPS[scale.name]['cifar10-vit'].title}, four attacks",
        question="Does it matter by which attack the proxies are made?",
        setup=SETUPS[scale.name]["cifar10-vit"],
        forget=_forget(scale, "cifar10-vit"),
        plans=[*rows.references(), *rows.attacks()],
        paper=paper.ATTACKS,
    )
    plans = [*rows.attacks(), *rows.narrow_attacks()]
    return [experiment, _on_request(scale, experiment, "digits-resnet", plans, DIGITS_NOTE, BUDGET_NOTE)]


def table5(scale: Scale) -> list[Experiment]:
    """Return ZS-PAG put together part by part."""
    experiments = [
        Experiment(
            name=f"table5-{name}",
            title=f"Table 5: {SETUPS[scale.name][name].title}, part by part",
            question="What does the projection buy, and what do the labels?",
            setup=SETUPS[scale.name][name],
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
    return [*experiments, _on_request(scale, experiments[0], "digits-resnet", rows.arms(), DIGITS_NOTE)]


def table6(scale: Scale) -> list[Experiment]:
    """Return the time that every method takes: on a class of CIFAR-100 and, on request, on all images of CIFAR-10."""
    experiment = Experiment(
        name="table6-cifar100-resnet",
        title=f"Table 6: {SETUPS[scale.name]['cifar100-resnet'].title}, wall-clock time",
        question="How long does each method take on one device, at ten epochs on the same forget samples?",
        setup=SETUPS[scale.name]["cifar100-resnet"],
        forget=_forget(scale, "cifar100-resnet")[:1],
        plans=[*rows.references(), *rows.overhead(scale)],
        paper=paper.OVERHEAD,
        deep=False,
        timing=True,
        scale=replace(scale, retrain_epochs=scale.timed_epochs) if scale.timed_epochs else None,
        notes=(f"{TIMES_NOTE} The paper's times are of an RTX 4090.",),
    )
    whole, setup = every_image(scale), SETUPS[scale.name]["cifar10-resnet"]
    once = whole.retain_seeds or None
    plans = [plan for plan in rows.overhead(whole) if plan.method not in rows.INVENTING]
    everything = replace(
        experiment,
        name=f"table6-{setup.name}",
        title=f"Table 6: {setup.title}, wall-clock time on all images",
        setup=setup,
        forget=_forget(scale, setup.name),
        plans=[*rows.references(), *(replace(plan, seeds=once) if rows.needs_retain(plan) else plan for plan in plans)],
        paper={},
        scale=whole,
        on_request=True,
        notes=(TIMES_NOTE, EVERYTHING_NOTE),
    )
    return [experiment, everything]


def fig5(scale: Scale) -> list[Experiment]:
    """Return the curves of ε and of the number of proxies."""
    experiment = Experiment(
        name="fig5-cifar10-vit",
        title=f"Figure 5: {SETUPS[scale.name]['cifar10-vit'].title}, ε and n_adv",
        question="How strong must the attack be, and how many proxies are needed?",
        setup=SETUPS[scale.name]["cifar10-vit"],
        forget=_forget(scale, "cifar10-vit"),
        plans=[*rows.references(), *rows.curves()],
        paper={},
        notes=(CURVES_NOTE,),
    )
    return [experiment, _on_request(scale, experiment, "digits-resnet", rows.curves(DIGITS_BUDGETS), DIGITS_NOTE)]


def fig3(scale: Scale) -> list[Experiment]:
    """Return where attention is compared: on faces, which stay on this machine, and on digits."""
    return [_view(scale, "fig3", name, "attention before and after") for name in ("digits-resnet", "faces12-resnet")]


def fig4(scale: Scale) -> list[Experiment]:
    """Return where proxies are mapped among real samples."""
    return [_view(scale, "fig4", name, "proxies among real samples") for name in (*BY_FASHION, "cifar10-vit")]


def _on_request(scale: Scale, experiment: Experiment, name: str, plans: list[RowPlan], *notes: str) -> Experiment:
    """Return the same comparison of another setup, made on request only: every row with every seed, no paper beside.

    Args:
        scale: how much is computed.
        experiment: the comparison.
        name: of the setup, a model of few training images.
        plans: its rows beside the references.
        notes: what a reader must know beside the experiment's notes.
    """
    setup, known = SETUPS[scale.name][name], experiment.setup
    return replace(
        experiment,
        name=experiment.name.replace(known.name, setup.name),
        title=experiment.title.replace(known.title, setup.title),
        setup=setup,
        forget=_forget(scale, name),
        plans=[replace(plan, seeds=None) for plan in [*rows.references(), *plans]],
        paper={},
        notes=(*experiment.notes, *notes),
        on_request=True,
        scale=few_images(scale),
    )


def _view(scale: Scale, figure: str, name: str, what: str) -> Experiment:
    """Return an experiment without rows: ZS-PAG is run once and looked at."""
    setup = SETUPS[scale.name][name]
    return Experiment(
        name=f"{figure}-{name}",
        title=f"Figure {figure[3:]}: {setup.title}, {what}",
        question="",
        setup=setup,
        forget=_forget(scale, name),
        plans=[],
        paper={},
    )


TABLES: dict[str, Callable[[Scale], list[Experiment]]] = {
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


def experiments(name: str, scale: Scale, only: str = "") -> list[Experiment]:
    """Return the comparisons of a table or figure.

    Args:
        name: a key of `TABLES`.
        scale: how much is computed.
        only: the name of a setup or of a comparison, to make that one alone; empty for all of the paper's.
    """
    known = TABLES[name](scale)
    if not only:
        return [experiment for experiment in known if not experiment.on_request]
    return [experiment for experiment in known if only in {experiment.name, experiment.setup.name}]


def names_of(name: str, scale: Scale) -> list[str]:
    """Return the experiments of a table or figure, those that are made on request only too."""
    return [experiment.setup.name for experiment in TABLES[name](scale)]


def _forget(scale: Scale, name: str) -> tuple[int, ...]:
    """Return the classes that are forgotten: one or two, or a tenth of CIFAR-100's."""
    if name in ONE:
        return ONE[name]
    count = len(SETUPS[scale.name][name].classes) or 100
    return tuple(range(3, count, TENTH))
