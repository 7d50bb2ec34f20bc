"""The words of the interface: names, sentences and the glossary that every help bubble draws from."""

from __future__ import annotations

from zspag_core.attacks.catalogue import attack_entries
from zspag_core.metrics.catalogue import (
    ACC_RT,
    ACC_UT,
    ASR,
    ATTACK,
    ENTROPY,
    PROBE,
    RELEARNING,
    SAME_CLASS,
    SAME_CLASS_AUC,
)

STAGES = {
    "load": "Load",
    "proxies": "Proxies",
    "subspace": "Subspace",
    "labels": "Labels",
    "train": "Train",
    "unlearn": "Unlearn",
    "narrow": "Narrow",
    "before": "Baseline",
    "evaluate": "Grading",
}

BASELINE = "before"
"""The stage that comes first where the original's grade is there already or takes long, and else after the method."""

OPTIONAL_STAGES = {"train", "narrow"}
"""Stages that few runs have: shown once they are reached."""

STAGE_HELP = {
    "load": "Reads the model and the images of the classes to forget.",
    "before": "Grades the model as it is, on test data.",
    "proxies": "Pushes forget samples into other classes: stand-ins for the data that is not there.",
    "labels": "Finds soft labels for the forget samples, outside the forgotten classes.",
    "subspace": "Finds, layer by layer, the directions that the remaining classes need.",
    "train": "Trains from scratch.",
    "unlearn": "Trains on the forget samples with their new labels, in the free directions only.",
    "narrow": "Rewrites what writes the features: they carry only what tells the remaining classes apart.",
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

PIXEL_LEVELS = 255
"""A budget is written as so many of these."""

KNOBS = {
    "epsilon": "ε · perturbation budget",
    "epsilon_l2": "ε₂ · perturbation budget",
    "n_adv": "n_adv · per class",
    "attack": "Attack",
    "label_mode": "Label mode",
    "epochs": "Epochs",
    "energy": "τ · energy threshold",
    "cw_searches": "C&W searches",
    "cw_rate": "C&W rate",
    "cg_steps": "Solver steps",
    "stop_forget": "Goal",
    "stop_margin": "Margin",
    "deep": "Deep forgetting",
    "narrow": "Narrow the features",
    "stop_rule": "Stop by rule",
    "attack_confidence": "Confidence to reach",
    "fill": "Fill up to",
    "full_classes": "Full quota up to",
}

CONSEQUENCES = {
    "epsilon": "Larger: more proxies succeed, further from real images.",
    "epsilon_l2": "Larger: more proxies succeed, further from real images.",
    "n_adv": "More: the rest is known better, it takes longer.",
    "attack": "How an image is pushed into another class.",
    "label_mode": "What forget samples are taught to be.",
    "learning_rate": "Larger: quicker, until things break.",
}
"""What turning a basic control does, in one line."""

CHOICES = {
    "posterior": "posterior",
    "influence_anchored": "influence, anchored",
    "second_best": "second best",
}

SETTING_GROUPS = {
    "Attack": (
        "attack_steps",
        "step_size",
        "random_start",
        "cw_searches",
        "cw_rate",
        "overshoot",
        "attack_confidence",
        "coverage",
        "fill",
        "full_classes",
    ),
    "Subspace": ("subspace", "energy", "tolerance", "pooling"),
    "Labels": (
        "influence_sign",
        "influence_trust",
        "influence_divergence",
        "influence_projected",
        "damping",
        "cg_steps",
        "influence_images",
    ),
    "Loop": ("learning_rate", "batch_size", "deep", "narrow"),
    "Stopping": ("stop_rule", "stop_forget", "stop_margin"),
}
"""Where a setting stands among all settings; what is not named here stands in the loop's group."""

PRESETS = {
    "default": (
        "Default",
        "For ZS-PAG and erasure the settings that measured best, for rivals plain ones that suit small networks.",
    ),
    "paper": ("Paper", "The paper's own choices where it states them: influence labels, every direction protected."),
    "official": (
        "Official",
        "The settings of the method's published program, which can be too strong for a small network.",
    ),
    "no projection": ("No projection", "Nothing is protected: see what the projection is good for."),
    "random subspace": ("Random subspace", "As many directions protected, but the wrong ones."),
    "random labels": ("Random labels", "Forget samples are taught to be anything else."),
    "deep": (
        "Deep",
        "Many proxies; afterwards the last features are narrowed to what the remaining classes need. Forgets there and "
        "no deeper, takes minutes, can cost the rest a point.",
    ),
    "last stage too": (
        "Last stage too",
        "Takes the class out of the last stage as well, by seven tenths: deeper, at about half a point of the rest.",
    ),
    "a stage more": (
        "A stage more",
        "Erases one stage further below: of a model that knows its images by heart it is hard to tell then which ones "
        "it was trained on. It costs the rest one or two points more.",
    ),
    "tiny epsilon": (
        "Tiny ε",
        "On digits hardly any attack succeeds with so small a budget: classes stay without proxies, and no step is "
        "safe. Models of photographs give way far sooner: at 1/255 most attacks succeed already.",
    ),
}
"""Name and one sentence of every preset."""


COMPARISONS = {
    "table1": ("Table 1 in miniature", "Which method forgets, at what cost to the rest?"),
    "table5": ("Why projection matters", "What do the same labels cost with the right, the wrong and no protection?"),
    "table4": ("Four attacks", "Does it matter which attack makes the proxies?"),
    "fig5": ("ε and n_adv", "How large a budget (each image aimed at its second-best class), how many proxies?"),
    "own": ("Your comparison", "Which of these methods forgets, at what cost to the rest?"),
}
"""Title and question of a comparison, by what its name begins with; those that ship come in this order."""


def choice_label(word: str) -> str:
    """Return the plain name of one of a setting's choices."""
    if word in attack_entries():
        return attack_entries()[word].title
    return CHOICES.get(word, word.replace("_", " "))


def levels_text(budget: float) -> str:
    """Write a budget of single pixels as papers do: 8/255."""
    return f"{PIXEL_LEVELS * budget:.3g}/{PIXEL_LEVELS}"


def knob_label(name: str) -> str:
    """Return the plain name of a setting."""
    return KNOBS.get(name, name.replace("_", " ").capitalize())


def knob_short(name: str) -> str:
    """Return the shortest plain name of a setting, where many stand beside each other: ε, n_adv, τ."""
    return knob_label(name).partition(" · ")[0]


MASK_NOTE = (
    "**Mask** blocks the forgotten outputs of the original model and learns nothing. Only what exceeds it speaks for "
    "the method; the probe shows whether the features forgot too."
)
ESTIMATE_NOTE = (
    "Estimates come from the images to forget and the proxies alone. The method worked with both, so they speak better "
    "of it than unseen images would."
)
GRADING_NOTE = "For grading only: the method saw the model and the forget samples, none of these test images."

GLOSSARY = {
    "Acc_rt": ACC_RT.definition,
    "Acc_ut": ACC_UT.definition,
    "ASR": ASR.definition,
    "Attack": "A small, computed change of an image that makes a model answer another class.",
    "Attack accuracy": ATTACK.definition,
    "AUC": SAME_CLASS_AUC.definition,
    "Backdoor": "A trigger, here a white square in the corner, that training taught to turn one class into another.",
    "C&W": "An attack that looks for the shortest change that still fools the model (Carlini and Wagner, 2017).",
    "Captured energy": "Share of the real remaining inputs that lies in the directions found from proxies.",
    "Checkpoint": "A file with the weights of a trained model.",
    "Coverage": "How many proxies each remaining class has; a class without any is not protected.",
    "DeepFool": "An attack that steps over the nearest decision boundary, again and again (Moosavi-Dezfooli, 2016).",
    "Energy threshold τ": "Share of the remaining classes' inputs that is protected: more keeps the rest safer, less "
    "forgets deeper.",
    "Epoch": "One pass over the images that a method trains on: the forget samples, with remaining data those too.",
    "FGSM": "An attack of one single step of full length (Goodfellow, 2015).",
    "For grading only": "Data that judges the model afterwards; the method never sees it.",
    "Forget samples": "Training images of the classes that must go: all the data that a zero-shot method is given.",
    "GradCAM": "A map of where in the image the evidence for a class lies.",
    "Gradient": "The direction in which the weights must move to change the answer fastest.",
    "Influence": "An estimate of how training on an image with some label would change the loss on other images.",
    "kNN agreement": "Share of proxies whose nearest real images carry the proxy's label.",
    "L2": "Length of a change: the root of the sum of all squared pixel changes.",
    "Leak": "How far the weights' change reaches into protected directions, against the size of the weights; rounding "
    "alone gives about 0.000001, narrowing rewrites whole layers.",
    "Logits": "The model's raw score for every class, before they become probabilities.",
    "Loss": "How far the model's answers are from the labels that it is taught.",
    "L∞": "The largest change of any single pixel.",
    "Mask": "The original model with the forgotten outputs blocked: nothing is learned, so what it gives is for free.",
    "Membership inference": ENTROPY.definition,
    "n_adv": "Most proxies that are kept for one remaining class; the default settings see to a quarter of them.",
    "Normalisation": "How pixel values are shifted and scaled before a network sees them, as in its training.",
    "Over-unlearning": "Losing what should have been kept, together with what should go.",
    "PCA": "A flat map that keeps the directions along which the points spread most.",
    "Perturbation budget ε": "How far any pixel of a proxy may move from its image, in 1/255 of the pixel range.",
    "PGD": "An attack of many small steps inside the budget (Madry, 2017); the paper's own choice.",
    "Posterior": "The model's own other guesses: its probabilities without the forgotten classes; DELETE's targets.",
    "Probe": PROBE.definition,
    "Projection": "Taking out of every step the part that lies in protected directions.",
    "Proxy": "A forget sample that was pushed over a decision boundary and now stands in for another class.",
    "Pseudo-label": "What a forget sample is taught to be instead of its own class.",
    "Rank": "Number of protected directions of a layer; where it is full, nothing can move.",
    "Relearning": RELEARNING.definition,
    "Remaining data": "All images of the other classes: a zero-shot method has none of them.",
    "Retrain": "Training anew without the forgotten classes: the honest reference, if one has the data.",
    "Same class": SAME_CLASS.definition,
    "Seed": "The number that all randomness starts from: same seed, same model.",
    "Subspace": "The directions of a layer's inputs that the remaining classes use.",
    "UMAP": "A flat map that keeps near points near; distances between far groups mean little.",
    "Unlearning": "Changing a trained model so that it no longer knows some of its training data.",
    "Zero-shot": "With the model and the forget samples alone, without any remaining data.",
}
"""The terms that a stranger may not know, each in one sentence; every help bubble draws from here."""


def help_for(term: str) -> str:
    """Return the sentence that explains a term of the glossary.

    Raises:
        KeyError: the glossary has no such term.
    """
    return GLOSSARY[term]
