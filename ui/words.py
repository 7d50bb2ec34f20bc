"""The words of the interface: names, sentences and the glossary that every help bubble draws from."""

from __future__ import annotations

from dataclasses import dataclass

STAGES = {
    "load": "Load",
    "before": "Baseline",
    "proxies": "Proxies",
    "subspace": "Subspace",
    "labels": "Labels",
    "train": "Train",
    "unlearn": "Unlearn",
    "evaluate": "Grading",
}

STAGE_HELP = {
    "load": "Reads the model and the images of the classes to forget.",
    "before": "Grades the model as it is, on test data.",
    "proxies": "Pushes forget samples into other classes: stand-ins for the data that is not there.",
    "labels": "Finds soft labels for the forget samples, outside the forgotten classes.",
    "subspace": "Finds, layer by layer, the directions that the remaining classes need.",
    "train": "Trains from scratch.",
    "unlearn": "Trains on the forget samples with their new labels, in the free directions only.",
    "evaluate": "Grades the unlearned model on test data that the method never saw.",
}

STATES = {
    "queued": ("gray", ":material/schedule:", "Queued"),
    "running": ("blue", ":material/play_circle:", "Running"),
    "done": ("green", ":material/check_circle:", "Done"),
    "cancelled": ("gray", ":material/cancel:", "Cancelled"),
    "failed": ("red", ":material/error:", "Failed"),
    "interrupted": ("orange", ":material/link_off:", "Interrupted"),
}

KNOBS = {
    "epsilon": "ε · perturbation budget",
    "epsilon_l2": "ε₂ · perturbation budget, L2",
    "n_adv": "n_adv · proxies per class",
    "attack": "Attack",
    "label_mode": "Label mode",
    "epochs": "Epochs",
    "learning_rate": "Learning rate",
    "threshold": "τ · energy threshold",
    "energy": "τ · energy threshold",
    "tau": "τ · energy threshold",
    "batch_size": "Batch size",
    "seed": "Seed",
}


def knob_label(name: str) -> str:
    """Return the plain name of a setting."""
    return KNOBS.get(name, name.replace("_", " ").capitalize())


@dataclass(frozen=True)
class Measure:
    """A number that a run is judged by.

    Attributes:
        path: where it stands in the before and after parts of result.json.
        title: plain name, with the paper's symbol.
        meaning: what it is, in a few words.
        good: which way is good.
        unit: "%" or nothing.
    """

    path: tuple[str, ...]
    title: str
    meaning: str
    good: str
    unit: str = "%"


MEASURES = (
    Measure(("acc_rt",), "Remaining accuracy · Acc_rt", "test images of the classes to keep, answered right", "higher"),
    Measure(("acc_ut",), "Forgotten accuracy · Acc_ut", "test images of the forgotten classes, still recognised", "0"),
    Measure(("loss_rt",), "Remaining loss", "how sure the right answers are on the classes to keep", "lower", ""),
    Measure(
        ("probe",),
        "Probe · deep forgetting",
        "forgotten classes that a fresh linear layer still finds in the features",
        "lower",
    ),
    Measure(
        ("mia", "entropy_svc"),
        "Membership · entropy",
        "forgotten training images that an attacker takes for members",
        "nearer to a retrained model",
    ),
    Measure(
        ("mia", "confidence_svc"),
        "Membership · confidence",
        "forgotten training images that an attacker takes for strangers",
        "higher",
    ),
    Measure(
        ("mia", "same_class", "accuracy"),
        "Membership · same class",
        "forgotten training against forgotten test images, told apart by their loss",
        "50, a coin toss",
    ),
    Measure(
        ("mia", "same_class", "auc"),
        "Membership · same class, AUC",
        "the same attack at every threshold",
        "50, a coin toss",
    ),
)

MASK_NOTE = (
    "**Mask** blocks the forgotten outputs of the original model and learns nothing. Only what exceeds it speaks for "
    "the method; the probe shows whether the features forgot too."
)
GRADING_NOTE = "For grading only: the method saw the model and the forget samples, none of these test images."
