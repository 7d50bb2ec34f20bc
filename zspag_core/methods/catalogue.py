"""Every unlearning method's facts, each once: what it is called, does, needs, comes from; without torch.

The command line, the dashboard's forms and cards, comparisons and tables all read this list. A method is added by one
file with its class and one :class:`MethodEntry`, here or in a plug-in (:mod:`zspag_core.plugins`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from zspag_core.errors import UsageError
from zspag_core.plugins import METHODS, by_key, load_class

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zspag_core.methods.base import Method

NOTHING: Mapping[str, Any] = MappingProxyType({})
OFFICIAL = "official"
"""Name of the preset with the settings of a method's published program."""


@dataclass(frozen=True, kw_only=True)
class TuningRange:
    """What is turned when a method is tuned.

    Attributes:
        name: of the hyper-parameter.
        low: the end at which least is forgotten; the larger value where less forgets more.
        high: the end at which most is forgotten.
        complement: whether 1 minus the hyper-parameter lies between `low` and `high`.
    """

    name: str
    low: float
    high: float
    complement: bool = False

    def at(self, share: float) -> float:
        """Return the value at a share, 0 to 1, of the way from low to high on a logarithmic scale."""
        value = float(f"{self.low * (self.high / self.low) ** share:.3g}")
        return 1 - value if self.complement else value


@dataclass(frozen=True, kw_only=True)
class MethodEntry:
    """What is known of a method.

    Attributes:
        key: its name in settings, records and commands.
        program: the class, or "module:class", which is imported when it is needed.
        title: its name for people.
        short: the same in lists and tables.
        row: the same in comparisons, with a word more where it helps; `short` where empty.
        summary: what it does, in one sentence.
        needs_retain: whether it is given remaining data.
        reference: whether others are measured against it, and it is no way to forget without the data.
        source: where it was published.
        tuning: the one hyper-parameter by which it is tuned in comparisons; None where it is not.
        tuned: settings of tuned rows beside that.
        official: settings of its published program; empty where there is none.
        deviations: in what the program here differs from the published one, a sentence each.
        presets: further named settings.
    """

    key: str
    program: str | type[Method]
    title: str
    short: str
    summary: str
    source: str = ""
    row: str = ""
    needs_retain: bool = False
    reference: bool = False
    tuning: TuningRange | None = None
    tuned: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    official: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    deviations: tuple[str, ...] = ()
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: NOTHING)

    @property
    def label(self) -> str:
        """What its rows are called in comparisons."""
        return self.row or self.short

    @property
    def all_presets(self) -> dict[str, dict[str, Any]]:
        """Every named setting, the official one first."""
        official = {OFFICIAL: dict(self.official)} if self.official else {}
        return official | {name: dict(settings) for name, settings in self.presets.items()}

    def load(self) -> type[Method]:
        """Return the method's class.

        Raises:
            UsageError: the program is not there, is no method, or contradicts what is said here.
        """
        from zspag_core.methods.base import Method

        found = load_class(self.program, Method, f"method {self.key}")
        for name, said in (("name", self.key), ("needs_retain", self.needs_retain)):
            if (own := getattr(found, name, None)) != said:
                raise UsageError(f"method {self.key}: expected {name} {said!r} in its class, got {own!r}")
        return found


COMMON = (
    "Batch norms stay in evaluation mode while it unlearns, and images are not augmented, as for every method here.",
)
TEN = {"epochs": 10}
PAPER = {
    "attack": "pgd",
    "n_adv": 100,
    "full_classes": 1000,
    "label_mode": "influence",
    "influence_sign": "removing",
    "coverage": "second_best",
    "subspace": "estimated",
    "pooling": "per_class",
    "tolerance": 0.0,
    "attack_confidence": 1.0,
    "epochs": 10,
    "stop_rule": False,
}
"""The choices of ZS-PAG's paper where it states them; what it leaves open stays at our defaults."""

BUILT_IN = (
    MethodEntry(
        key="zspag",
        program="zspag_core.methods.zspag:ZSPAG",
        title="ZS-PAG",
        short="ZS-PAG",
        summary="Proxies, pseudo-labels, and steps in the free directions only.",
        source="Chen et al. (ZS-PAG)",
        tuning=TuningRange(name="learning_rate", low=3e-3, high=1.0),
        presets={
            "paper": PAPER,
            "no projection": {"subspace": "none", "learning_rate": 0.01},
            "random subspace": {"subspace": "random"},
            "random labels": {"label_mode": "random"},
            "tiny epsilon": {"epsilon": 4 / 255},
            "deep": {"n_adv": 1000, "fill": 1.0, "narrow": 20},
        },
        deviations=(
            "The defaults are those that measured best here; the preset Paper has the paper's own choices.",
            "Steps that harm the proxies, or in which the descent falls, are undone and made again, shorter.",
        ),
    ),
    MethodEntry(
        key="erase",
        program="zspag_core.methods.erase:Erase",
        title="Stage-wise erasure",
        short="Erasure",
        summary=(
            "Takes off the last stages' outputs what tells the class from the rest, then refits what follows: there "
            "the class's images are to look like others that are answered alike."
        ),
        source=(
            "ours; after LEACE (Belrose et al., 2023) and DeepInversion (Yin et al., 2020), with the remaining images' "
            "means read off BatchNorm"
        ),
        presets={"last stage too": {"last_strength": 0.7}, "a stage more": {"depth": 3}},
        deviations=(
            "All classes are taken to have had equally many training images.",
            "It needs a BatchNorm that ends a stage, as in ResNets, VGGs with BatchNorm, MobileNets and RegNets.",
        ),
    ),
    MethodEntry(
        key="posterior",
        program="zspag_core.methods.relabel:Posterior",
        title="Posterior labels",
        short="Posterior labels",
        row="Posterior labels, no projection",
        summary="Teaches forget samples the model's own other guesses, DELETE's objective; nothing is protected.",
        source=(
            "the objective of DELETE (Zhou et al., 2025) with the optimiser of ZS-PAG: the labels of its defaults, "
            "without its projection"
        ),
        tuning=TuningRange(name="learning_rate", low=1e-4, high=1.0),
        tuned=TEN,
    ),
    MethodEntry(
        key="delete",
        program="zspag_core.methods.delete:Delete",
        title="DELETE",
        short="DELETE",
        summary="Distils the model into itself on forget samples, with the forgotten outputs masked in the teacher.",
        source=(
            "Zhou, Zheng, Mo, Lu, Lin and Zheng, CVPR 2025 (Decoupled Distillation to Erase); its targets are those of "
            "Posterior labels and of ZS-PAG's defaults"
        ),
        tuning=TuningRange(name="learning_rate", low=1e-5, high=0.1),
        tuned={"epochs": 20},
        official={"learning_rate": 1e-4, "epochs": 20, "batch_size": 128, "momentum": 0.9, "weight_decay": 0.0},
        deviations=(
            "Where several classes are forgotten, all of them are masked, not the sample's own alone.",
            *COMMON,
        ),
    ),
    MethodEntry(
        key="jit",
        program="zspag_core.methods.jit:JiT",
        title="Just in time unlearning (JiT)",
        short="JiT",
        summary="Makes the outputs of forget samples insensitive to noise on the image.",
        source=(
            "Foster, Fogarty, Schoepf, Dugue, Öztireli and Brintrup, 2024 (Zero-shot machine unlearning at scale via "
            "Lipschitz regularization; An information theoretic approach to machine unlearning)"
        ),
        tuning=TuningRange(name="learning_rate", low=1e-5, high=0.1),
        official={"learning_rate": 3e-4, "epochs": 1, "sigma": 0.5, "copies": 25, "batch_size": 128},
        deviations=(
            "Forget samples are shuffled; the published program takes them as they come.",
            "The official settings are those of a VGG; a ViT has a learning_rate of 1.5 and a sigma of 0.8 there.",
            *COMMON,
        ),
    ),
    MethodEntry(
        key="mu_mis",
        program="zspag_core.methods.mu_mis:MuMis",
        title="MU-Mis",
        short="MU-Mis",
        summary="Makes the own logit of forget samples no more sensitive to the image than another class's.",
        source=(
            "Cheng, Huang, Zhou, He, Yang, Wu and Huang, ICLR 2026 (Remaining-data-free machine unlearning by "
            "suppressing sample contribution)"
        ),
        tuning=TuningRange(name="learning_rate", low=1e-7, high=0.1),
        tuned=TEN,
        deviations=(
            "The published step length and the published rule by which it ends were not at hand: both are ours, and it "
            "ends after its epochs.",
            "Sensitivities are by pixels from 0 to 1.",
            *COMMON,
        ),
    ),
    MethodEntry(
        key="spotter",
        program="zspag_core.methods.spotter:Spotter",
        title="Spotter",
        short="Spotter",
        summary="DELETE's objective on forget samples and on images near them, and features that are driven apart.",
        source="Ha, Park and Yoon, ICML 2026 (Unlearning's blind spots)",
        tuning=TuningRange(name="learning_rate", low=1e-5, high=0.1),
        tuned=TEN,
        official={
            "learning_rate": 1e-4,
            "epochs": 10,
            "share": 0.7,
            "dispersion": 1.0,
            "nearness": 0.03,
            "attack_step": 0.01,
            "attack_steps": 3,
            "batch_size": 128,
            "momentum": 0.9,
            "weight_decay": 5e-4,
        },
        deviations=(
            "Images near are made for each step of that step's images; the published program makes them once and pairs "
            "them at random.",
            "They are kept within the range of pixels; the published program cuts normalised pixels off at 0 and 1.",
            "As in the published program the steps towards them lead away from the runner-up.",
        ),
    ),
    MethodEntry(
        key="pour_p",
        program="zspag_core.methods.pour_p:PourP",
        title="POUR-P",
        short="POUR-P",
        summary="Projects the forgotten classes' directions out of the penultimate features; trains nothing.",
        source="Le, Peng, Liu and Noble, 2025 (POUR: a provably optimal method for unlearning representations)",
        deviations=(
            "How the paper estimates a class's direction was not at hand: by default it is the class's row of the last "
            "layer, less the mean row.",
            "The projection is folded into the last layer, so that measures of features see them as they were.",
        ),
    ),
    MethodEntry(
        key="finetune",
        program="zspag_core.methods.finetune:Finetune",
        title="Fine-tuning (FT)",
        short="FT",
        summary="Trains on remaining data, and on forget samples with random labels.",
        source="Warnecke et al., 2021, as Chen et al. (ZS-PAG) use it",
        needs_retain=True,
        tuning=TuningRange(name="learning_rate", low=1e-4, high=0.1),
        tuned=TEN,
        official={"learning_rate": 0.01, "epochs": 10},
        deviations=COMMON,
    ),
    MethodEntry(
        key="finetune_zs",
        program="zspag_core.methods.relabel:RandomLabels",
        title="Random labels (FT-zs)",
        short="FT-zs",
        row="Random labels (FT-zs)",
        summary="Teaches forget samples random other labels; nothing is protected.",
        source="Chen et al. (ZS-PAG), section 4.1: FT on the forget data alone",
        tuning=TuningRange(name="learning_rate", low=1e-4, high=1.0),
        tuned=TEN,
        official={"learning_rate": 0.01, "epochs": 10},
        deviations=COMMON,
    ),
    MethodEntry(
        key="neggrad",
        program="zspag_core.methods.neggrad:NegGrad",
        title="NegGrad+",
        short="Neggrad",
        summary="Climbs the loss of forget samples while remaining data holds the rest.",
        source="Kurmanji et al., 2024 (NegGrad+)",
        needs_retain=True,
        tuning=TuningRange(name="alpha", low=1e-4, high=0.3, complement=True),
        tuned={"epochs": 5},
        official={"learning_rate": 0.01, "epochs": 5, "alpha": 0.9999},
        deviations=COMMON,
    ),
    MethodEntry(
        key="neggrad_zs",
        program="zspag_core.methods.neggrad:NegGradZS",
        title="Gradient ascent (NegGrad-zs)",
        short="Neggrad-zs",
        summary="Climbs the loss of forget samples; nothing holds the rest.",
        source="Chen et al. (ZS-PAG), section 4.1: the second term of NegGrad+ alone",
        tuning=TuningRange(name="learning_rate", low=1e-5, high=0.1),
        tuned=TEN,
        official={"learning_rate": 0.01, "epochs": 5},
        deviations=COMMON,
    ),
    MethodEntry(
        key="badt",
        program="zspag_core.methods.badt:BadTeaching",
        title="Bad teaching (BadT)",
        short="BadT",
        summary="Imitates a know-nothing teacher on forget samples and the original on remaining data.",
        source="Chundawat et al., 2023 (Can bad teaching induce forgetting?)",
        needs_retain=True,
        tuning=TuningRange(name="learning_rate", low=1e-5, high=0.01),
        tuned=TEN,
        official={"learning_rate": 1e-4, "epochs": 1, "retain_share": 0.3},
        deviations=("Every step holds the same share of forget samples.", *COMMON),
    ),
    MethodEntry(
        key="badt_zs",
        program="zspag_core.methods.badt:BadTeachingZS",
        title="Bad teaching, forget data alone (BadT-zs)",
        short="BadT-zs",
        summary="Imitates a know-nothing teacher on forget samples.",
        source="Chen et al. (ZS-PAG), section 4.1: the first term of BadT alone",
        tuning=TuningRange(name="learning_rate", low=1e-5, high=0.01),
        tuned=TEN,
        official={"learning_rate": 1e-4, "epochs": 1},
        deviations=COMMON,
    ),
    MethodEntry(
        key="salun",
        program="zspag_core.methods.salun:SalUn",
        title="SalUn",
        short="SalUn",
        summary="Random labels and remaining data, moving only the weights that matter most for forget samples.",
        source="Fan et al., 2024 (SalUn), equations 3 to 5",
        needs_retain=True,
        tuning=TuningRange(name="learning_rate", low=1e-4, high=0.1),
        tuned=TEN,
        official={"learning_rate": 0.013, "epochs": 10, "mask_share": 0.5},
        deviations=(
            "The step is masked and not the gradient: momentum and weight decay would carry masked weights along.",
            *COMMON,
        ),
    ),
    MethodEntry(
        key="salun_zs",
        program="zspag_core.methods.salun:SalUnZS",
        title="SalUn, forget data alone (SalUn-zs)",
        short="SalUn-zs",
        summary="Random labels, moving only the weights that matter most for forget samples.",
        source="Fan et al., 2024 (SalUn) without remaining data, as Chen et al. (ZS-PAG) use it",
        tuning=TuningRange(name="learning_rate", low=1e-5, high=0.1),
        tuned=TEN,
        official={"learning_rate": 5e-4, "epochs": 10, "mask_share": 0.8},
        deviations=(
            "The step is masked and not the gradient: momentum and weight decay would carry masked weights along.",
            *COMMON,
        ),
    ),
    MethodEntry(
        key="fisher",
        program="zspag_core.methods.fisher:Fisher",
        title="Fisher forgetting",
        short="Fisher",
        summary="Adds noise to the weights that remaining data needs least.",
        source="Golatkar et al., 2020, section 4",
        needs_retain=True,
        tuning=TuningRange(name="alpha", low=1e-9, high=1e-3),
        official={"alpha": 1e-6, "exponent": 1.0, "fisher_images": 0},
        deviations=(
            "The forgotten classes' rows of the last layer start from zero, as in the authors' program and not in the "
            "equation.",
            *COMMON,
        ),
    ),
    MethodEntry(
        key="scrub",
        program="zspag_core.methods.scrub:Scrub",
        title="SCRUB",
        short="SCRUB",
        summary="Moves away from the original on forget samples and back to it on remaining data, pass by pass.",
        source="Kurmanji, Triantafillou, Hayes and Triantafillou, NeurIPS 2023 (Towards unbounded machine unlearning)",
        needs_retain=True,
        tuning=TuningRange(name="learning_rate", low=1e-5, high=0.1),
        official={
            "learning_rate": 5e-4,
            "epochs": 3,
            "max_epochs": 2,
            "alpha": 0.001,
            "gamma": 0.99,
            "temperature": 4.0,
            "batch_size": 128,
            "forget_batch": 32,
            "weight_decay": 5e-4,
        },
        deviations=(
            "The official settings are those of the published large-scale program, whose step length is not shortened "
            "within its three epochs; more epochs are not shortened here either.",
            "Rewinding (SCRUB+R), which is for hiding membership and not for classes, is left out.",
            *COMMON,
        ),
    ),
    MethodEntry(
        key="ssd",
        program="zspag_core.methods.ssd:SSD",
        title="Selective synaptic dampening (SSD)",
        short="SSD",
        summary="Makes the weights smaller that matter much more to forget samples than to all data; trains nothing.",
        source="Foster, Schoepf and Brintrup, AAAI 2024 (Fast machine unlearning without retraining)",
        needs_retain=True,
        tuning=TuningRange(name="alpha", low=200.0, high=1.0),
        official={"alpha": 10.0, "dampening": 1.0, "batch_size": 64},
        deviations=("The official settings are those of a ResNet; a ViT has an alpha of 5 there.",),
    ),
    MethodEntry(
        key="cola",
        program="zspag_core.methods.cola:Cola",
        title="Collapse and align (COLA)",
        short="COLA",
        summary="Draws remaining images together by class until the encoder lets the forgotten ones go, then realigns.",
        source=(
            "Jeon, Jeung, Kim, No and Choi, AAAI 2026 (An information theoretic evaluation metric for strong "
            "unlearning); the contrast of Khosla et al., 2020"
        ),
        needs_retain=True,
        tuning=TuningRange(name="collapse_rate", low=1e-4, high=0.1),
        deviations=(
            "The paper was at hand as abstract and reviews: that a contrast of remaining images collapses the encoder "
            "and that their labels align encoder and head then.",
            "What was not at hand and is ours: which contrast (of supervised contrastive learning, on penultimate "
            "features without a layer of its own), temperature, step length, optimiser and epochs of either part.",
            *COMMON,
        ),
    ),
    MethodEntry(
        key="boundary_shrink",
        program="zspag_core.methods.boundary_shrink:BoundaryShrink",
        title="Boundary shrink",
        short="Boundary shrink",
        row="Boundary shrink (BU)",
        summary="Teaches each forget sample the class beyond its nearest boundary.",
        source="Chen et al., 2023 (Boundary Unlearning), section 3.2",
        tuning=TuningRange(name="learning_rate", low=1e-5, high=0.1),
        tuned=TEN,
        official={"learning_rate": 1e-5, "epochs": 10, "bound": 0.1},
        deviations=(
            "Where the neighbour lies in a forgotten class or is read as before, its best other class is taken.",
            *COMMON,
        ),
    ),
    MethodEntry(
        key="gkt",
        program="zspag_core.methods.gkt:GKT",
        title="Gated knowledge transfer",
        short="GKT",
        summary="Distils the rest into a new network with made-up images; sees no data at all.",
        source="Chundawat et al., 2023 (Zero-shot machine unlearning), section 4; Micaelli and Storkey, 2019",
        tuning=TuningRange(name="learning_rate", low=1e-4, high=0.01),
        official={"learning_rate": 1e-3, "epochs": 40, "batches": 100, "batch_size": 256},
        deviations=("The generator ends in a sigmoid, since images are pixels from 0 to 1 here.",),
    ),
    MethodEntry(
        key="ispf",
        program="zspag_core.methods.ispf:ISPF",
        title="Inhibited synthesis, post-filter (ISPF)",
        short="ISPF",
        summary="As GKT, but invents less of the forgotten classes and filters answers in place of images.",
        source="Zhang, Shen, Chen and Xu, AAAI 2025 (Toward efficient data-free unlearning)",
        official={
            "learning_rate": 0.05,
            "epochs": 200,
            "rounds": 5,
            "student_steps": 10,
            "batch_size": 256,
            "warmup": 2,
            "threshold": 0.01,
            "momentum": 0.9,
            "weight_decay": 1e-4,
        },
        deviations=(
            "The generator is GKT's, half as wide as the published one, from 128 and not 256 random numbers.",
            "The published program keeps the epoch that reads test images of remaining classes best; here the last one "
            "stays.",
        ),
    ),
    MethodEntry(
        key="mask",
        program="zspag_core.methods.mask:Mask",
        title="Mask the logits",
        short="Mask",
        summary="Blocks the forgotten outputs; learns nothing.",
        source="the trivial reference",
        reference=True,
    ),
    MethodEntry(
        key="retrain",
        program="zspag_core.methods.retrain:Retrain",
        title="Retrain",
        short="Retrain",
        summary="Trains anew without the forgotten classes.",
        source="the reference that perfect unlearning would come to",
        needs_retain=True,
        reference=True,
    ),
)
"""In the order of the tables."""


@cache
def method_entries() -> Mapping[str, MethodEntry]:
    """Return every method by its key: those of this project in the order of the tables, then those from outside.

    Raises:
        UsageError: a plug-in cannot be loaded, or takes a key that is taken.
    """
    return by_key(BUILT_IN, METHODS, "a method")


def find_entry(key: str) -> MethodEntry:
    """Return a method's record.

    Raises:
        UsageError: there is none of that name.
    """
    try:
        return method_entries()[key]
    except KeyError:
        raise UsageError(f"method: expected one of {', '.join(choices())}, got {key!r}") from None


def choices() -> list[str]:
    """Return the methods' keys as a form lists them: zero-shot ones, references, those that need remaining data."""
    entries = method_entries().values()
    return [entry.key for entry in sorted(entries, key=lambda one: 1 if one.reference else 2 * one.needs_retain)]


def references() -> frozenset[str]:
    """Return the methods that others are measured against."""
    return frozenset(key for key, entry in method_entries().items() if entry.reference)
