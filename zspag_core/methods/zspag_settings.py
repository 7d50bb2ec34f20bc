"""The hyper-parameters of ZS-PAG, and what is built of them: its attack, the schedule of its descent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from zspag_core import pseudo_labels
from zspag_core.attacks.catalogue import attack_entries
from zspag_core.errors import UsageError
from zspag_core.hyperparameters import configure, knob
from zspag_core.methods.base import ZeroShotMethod
from zspag_core.methods.descent import Schedule, StoppingRule
from zspag_core.proxies import COVERAGES
from zspag_core.subspace import MODES as SUBSPACES
from zspag_core.subspace import POOLINGS

if TYPE_CHECKING:
    from zspag_core.attacks import Attack


@dataclass(frozen=True, kw_only=True)
class ZSPAGSettings(ZeroShotMethod):
    """What can be set; :class:`zspag_core.methods.zspag.ZSPAG` is the method."""

    name: ClassVar[str] = "zspag"

    attack: str = knob(
        "pgd", "How forget samples are pushed over the decision boundary.", choices=tuple(attack_entries()), basic=True
    )
    epsilon: float = knob(
        32 / 255,
        "Perturbation budget of PGD and FGSM: larger makes more proxies succeed, further from real images.",
        minimum=0.0,
        maximum=1.0,
        unit="pixel range",
        basic=True,
    )
    n_adv: int = knob(
        100,
        "Proxies per remaining class: more describe the rest better and take longer.",
        minimum=1,
        maximum=10_000,
        unit="images",
        basic=True,
    )
    full_classes: int = knob(
        20,
        "Remaining classes up to which each gets n_adv proxies; of more, all share what so many would get together. "
        "1000: each gets n_adv.",
        minimum=1,
        maximum=1000,
        unit="classes",
    )
    label_mode: str = knob(
        "posterior",
        "What forget samples are taught to be: the model's own other guesses (DELETE's targets), tilted by influence, "
        "or at random.",
        choices=pseudo_labels.MODES,
        basic=True,
    )
    epochs: int = knob(
        30, "Passes over the forget samples at most; a rule stops earlier.", minimum=1, maximum=1000, basic=True
    )
    energy: float = knob(
        0.97,
        "Share of the remaining classes' input energy that is protected: more is safer for them, less forgets deeper.",
        minimum=0.01,
        maximum=1.0,
    )
    learning_rate: float = knob(
        0.1,
        "Step length of the projected descent; of its first steps where the rule may change it.",
        minimum=1e-7,
        maximum=100.0,
    )
    batch_size: int = knob(32, "Forget samples per step.", minimum=1, maximum=8192, unit="images")
    attack_steps: int = knob(15, "Steps of PGD, C&W and DeepFool at most.", minimum=1, maximum=1000)
    attack_confidence: float = knob(
        1.0,
        "A proxy is finished once the model is this sure of its class; 1 makes all steps, less is faster, less safe.",
        minimum=0.0,
        maximum=1.0,
    )
    step_size: float = knob(
        0.125, "Length of one PGD step as a share of epsilon.", minimum=0.001, maximum=2.0, unit="epsilon"
    )
    epsilon_l2: float = knob(
        7.0,  # 32/255 in each of 3 x 32 x 32 values is up to 6.96 long
        "Perturbation budget of C&W and DeepFool (Euclidean).",
        minimum=0.0,
        maximum=100.0,
        unit="pixel range",
    )
    random_start: bool = knob(default=False, help="PGD starts at a random point of its ball, not at the image.")
    cw_searches: int = knob(
        4, "C&W: how many weights of reaching against staying near are tried.", minimum=1, maximum=20
    )
    cw_rate: float = knob(0.2, "C&W: Adam's step, relative to the least length needed.", minimum=1e-6, maximum=10.0)
    overshoot: float = knob(
        0.02, "DeepFool: share by which each step goes beyond the boundary.", minimum=0.0, maximum=1.0
    )
    coverage: str = knob(
        "balanced",
        "Aim every sample at its best other class, or also fill up the classes that this reaches too rarely.",
        choices=COVERAGES,
    )
    fill: float = knob(
        0.25,
        "Balanced coverage: share of n_adv up to which rarely reached classes are filled.",
        minimum=0.0,
        maximum=1.0,
    )
    subspace: str = knob(
        "estimated",
        "Directions protected: found from proxies, random (ablation) or none (ablation).",
        choices=SUBSPACES,
    )
    tolerance: float = knob(
        0.05,
        "Directions that the classes together use less than this are left free; 0 protects all.",
        minimum=0.0,
        maximum=1.0,
    )
    pooling: str = knob(
        "auto", "One decomposition a class (the paper) or one for all classes together (faster).", choices=POOLINGS
    )
    influence_sign: str = knob(
        "training",
        "Choose labels that help when trained on, or, as the paper's equation 10, when removed.",
        choices=pseudo_labels.SIGNS,
    )
    influence_trust: float = knob(
        4.0,
        "influence_anchored: how near the labels stay to the posterior; larger is nearer.",
        minimum=0.01,
        maximum=1e3,
    )
    influence_divergence: float = knob(
        1.0, "influence: weight of the term that keeps labels away from the true class.", minimum=0.0, maximum=1e3
    )
    influence_projected: bool = knob(
        default=False, help="Judge labels only by what the projected steps can follow (P s in place of s)."
    )
    damping: float = knob(
        0.1, "Curvature added before it is inverted, as a share of that along the gradient.", minimum=1e-6, maximum=1e3
    )
    cg_steps: int = knob(20, "Conjugate gradient steps at most.", minimum=1, maximum=1000)
    influence_images: int = knob(
        256, "Proxies from which gradient and curvature are taken.", minimum=1, maximum=10_000, unit="images"
    )
    deep: float = knob(
        0.0,
        "Pull of the forget samples' inner features towards those of proxies; 0 forgets only where the model answers. "
        "Needs free space in deep layers: pooled, with less energy.",
        minimum=0.0,
        maximum=1e3,
    )
    narrow: int = knob(
        0,
        "Passes in which, afterwards, the layers that write the features are taught to carry only what tells the "
        "remaining classes apart; 0 leaves them. Forgets in the last features; wants many proxies a class.",
        minimum=0,
        maximum=1000,
        unit="passes",
    )
    stop_forget: float = knob(
        0.5,
        "Stop once no more of the forget samples than this are still read as a forgotten class or as trained; not "
        "where deep is more than 0.",
        minimum=0.0,
        maximum=100.0,
        unit="%",
    )
    stop_margin: float = knob(
        3.0,
        "Undo an epoch that harms the proxies by more than this, and try a third of the step. A proxy that is read "
        "otherwise counts by how much surer the original was of the old reading than of the new one.",
        minimum=0.0,
        maximum=100.0,
        unit="%",
    )
    stop_rule: bool = knob(
        default=True,
        help="Stop by the two figures above, lengthen the steps where ten epochs have not reached the goal, and where "
        "steps harm the proxies begin anew with the upper half of the layers. Off makes all epochs.",
    )

    def build_attack(self) -> Attack:
        """Return the attack with this method's settings for it.

        Raises:
            UsageError: an attack from outside reads a setting that there is not.
        """
        entry = attack_entries()[self.attack]
        if absent := [name for name in entry.settings.values() if not hasattr(self, name)]:
            raise UsageError(f"attack {entry.key}: expected settings of {self.name}, got {absent[0]!r}")
        filled = {name: getattr(self, setting) for name, setting in entry.settings.items()}
        return configure(entry.load(), {**filled, "mixed": True})

    def schedule(self) -> Schedule:
        """Return how the projected descent goes."""
        goal = None if self.deep else self.stop_forget
        rule = StoppingRule(goal, self.stop_margin, last_resort=True) if self.stop_rule else None
        return Schedule(self.learning_rate, self.epochs, self.batch_size, rule)
