"""What each measure of a run is called, where it stands, which way is good, and when a class counts as forgotten.

Free of torch: pages, reports, comparisons and the command line take their titles, units, decimals and definitions from
here. Colours are the dashboard's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

FORGOTTEN_UP_TO = 5.0
"""Percent of the forgotten classes' images still recognised, up to which they count as forgotten.

Tuning takes the gentlest setting that comes to this on held-out images: a stricter bar elsewhere would fail methods for
having been tuned to this one.
"""
MOSTLY_FORGOTTEN_UP_TO = 10.0
"""The same, up to which they count as mostly forgotten, which is not yet forgotten."""
NOT_FORGOTTEN = "not forgotten"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number that a run is judged by.

    Attributes:
        key: its name in comparisons (:meth:`zspag_core.reproduce.comparison.Outcome.value`) and in rows of a history.
        path: where it stands in the before and after parts of result.json; empty where it is no figure of one model.
        title: full name, for tables of all figures.
        name: plain name, for cards and lists.
        short: heading of a narrow column.
        printed: heading in printed tables, the papers' word where they have one.
        unit: "%", "points", "nats", "steps" or "s".
        better: which way is better; "near" where the aim is a value that is neither the least nor the largest.
        good: the aim, in words.
        digits: decimals in printed tables; the dashboard writes percentages with one.
        definition: what it is, one sentence.
        meaning: what is counted, in a few words.
        source: where it comes from.
        needs: groups of images, keys of :data:`zspag_core.groups.GROUPS`, that it cannot be computed without.
    """

    key: str
    path: tuple[str, ...] = ()
    title: str
    name: str
    short: str
    printed: str
    unit: str = "%"
    better: Literal["higher", "lower", "near"]
    good: str
    digits: int = 1
    definition: str
    meaning: str
    source: str
    needs: tuple[str, ...] = ()

    @property
    def axis(self) -> str:
        """Return the title of an axis: "remaining accuracy · Acc_rt, %"."""
        return f"{in_sentence(self.title)}, {self.unit}"

    @property
    def column(self) -> str:
        """Return the heading of a column of bare numbers: "Acc_rt, %"."""
        return f"{self.short}, {self.unit}"


@dataclass(frozen=True)
class Estimate:
    """A percentage that stands in for a measure where there are no test images: of images that the method saw.

    Attributes:
        key: its name in the estimates of result.json.
        per_epoch: its name in a row of the history, empty where it has no part in that.
        title: plain name.
        meaning: what is counted, in a few words.
    """

    key: str
    per_epoch: str
    title: str
    meaning: str


def sample_words(name: str, figures: Mapping[str, float]) -> str:
    """Say behind a figure of an epoch of how many images it is, where it is not of all."""
    sampled = name == FORGET_IMAGES.per_epoch and FORGET_SAMPLE in figures
    return f" (of a sample of {figures[FORGET_SAMPLE]:,})" if sampled else ""


def in_sentence(title: str) -> str:
    """Return a title as it is written within a sentence, its first letter small."""
    return title[:1].lower() + title[1:]


def is_forgotten(acc_ut: float) -> bool:
    """Tell whether classes count as forgotten of which so many percent of the images are still recognised."""
    return acc_ut <= FORGOTTEN_UP_TO


def how_forgotten(acc_ut: float) -> str:
    """Say it in words: "forgotten", "mostly forgotten" or "not forgotten"."""
    if is_forgotten(acc_ut):
        return "forgotten"
    return "mostly forgotten" if acc_ut <= MOSTLY_FORGOTTEN_UP_TO else NOT_FORGOTTEN


_MEMBERSHIP = "Guessing whether an image was in the training data; a figure is the mean of many attacks."

ACC_RT = Measure(
    key="acc_rt",
    path=("acc_rt",),
    title="Remaining accuracy · Acc_rt",
    name="Remaining accuracy",
    short="Acc_rt",
    printed="Acc_rt",
    better="higher",
    good="higher",
    digits=2,
    definition="Accuracy on test images of the remaining classes: higher is better.",
    meaning="test images of the classes to keep, answered right",
    source="Chen et al., ZS-PAG, section 4.1",
    needs=("retain_test",),
)
ACC_UT = Measure(
    key="acc_ut",
    path=("acc_ut",),
    title="Forgotten accuracy · Acc_ut",
    name="Forgotten accuracy",
    short="Acc_ut",
    printed="Acc_ut",
    better="lower",
    good="0",
    digits=2,
    definition="Accuracy on test images of the forgotten classes: the goal is 0 %.",
    meaning="test images of the forgotten classes, still recognised",
    source="Chen et al., ZS-PAG, section 4.1",
    needs=("forget_test",),
)
LOSS_RT = Measure(
    key="loss_rt",
    path=("loss_rt",),
    title="Remaining loss",
    name="Remaining loss",
    short="Loss_rt",
    printed="loss",
    unit="nats",
    better="lower",
    good="lower",
    digits=3,
    definition="Mean cross-entropy on test images of the remaining classes.",
    meaning="how sure the right answers are on the classes to keep",
    source="added here",
    needs=("retain_test",),
)
PROBE = Measure(
    key="probe",
    path=("probe",),
    title="Probe · deep forgetting",
    name="Probe",
    short="Probe",
    printed="probe",
    better="lower",
    good="lower",
    definition="A fresh linear layer trained on the model's features: it finds what the last layer merely hides.",
    meaning="forgotten classes that a fresh linear layer still finds in the features",
    source="added here",
    needs=("retain_train", "forget_test"),
)
ENTROPY = Measure(
    key="mia.entropy_svc",
    path=("mia", "entropy_svc"),
    title="Membership · entropy",
    name="Membership · entropy",
    short="Membership · entropy",
    printed="MIA entropy",
    better="near",
    good="near Retrain",
    definition=_MEMBERSHIP,
    meaning="forgotten training images that an attacker takes for members",
    source="Acc_mia of Chen et al., ZS-PAG, section 4.1",
    needs=("retain_train", "retain_test"),
)
CONFIDENCE = Measure(
    key="mia.confidence_svc",
    path=("mia", "confidence_svc"),
    title="Membership · confidence",
    name="Membership · confidence",
    short="Membership · confidence",
    printed="MIA confidence",
    better="higher",
    good="higher",
    definition=_MEMBERSHIP,
    meaning="forgotten training images that an attacker takes for strangers",
    source="MIA efficacy of Fan et al., SalUn, 2024",
    needs=("retain_train", "retain_test"),
)
SAME_CLASS = Measure(
    key="mia.same_class.accuracy",
    path=("mia", "same_class", "accuracy"),
    title="Membership · same class",
    name="Membership · same class",
    short="Same class",
    printed="MIA same class",
    better="near",
    good="50, a coin toss",
    definition="A membership attack that is shown forgotten classes alone: their training images against their test "
    "images, told apart by the loss.",
    meaning="forgotten training against forgotten test images, told apart by their loss",
    source="the loss threshold of Yeom et al., 2018",
    needs=("forget_test",),
)
SAME_CLASS_AUC = Measure(
    key="mia.same_class.auc",
    path=("mia", "same_class", "auc"),
    title="Membership · same class, AUC",
    name="Membership · same class, AUC",
    short="Same class, AUC",
    printed="MIA same class (AUC)",
    better="near",
    good="50, a coin toss",
    definition="Area under the curve: how well an attack ranks members above strangers at every threshold; 50 % is "
    "chance.",
    meaning="the same attack at every threshold",
    source="the loss threshold of Yeom et al., 2018",
    needs=("forget_test",),
)
RELEARNING = Measure(
    key="relearning",
    path=("relearning", "steps"),
    title="Relearning",
    name="Relearning",
    short="Relearning",
    printed="relearning steps",
    unit="steps",
    better="higher",
    good="more",
    digits=0,
    definition="Steps of training until the model knows the class again; few mean that it was only hidden, unless all "
    "other answers are gone by then.",
    meaning="steps until the forgotten classes are back",
    source="relearn time of Chundawat et al., Zero-shot machine unlearning, 2023",
    needs=("forget_test",),
)
REST_BY_THEN = Measure(
    key="rest_by_then",
    path=("relearning", "acc_rt"),
    title="The rest by then",
    name="The rest by then",
    short="The rest by then",
    printed="the rest by then",
    better="higher",
    good="higher",
    definition="Accuracy on remaining classes after the steps of relearning; near 0 the class has not come back, all "
    "images are read as it.",
    meaning="test images of the classes to keep, answered right after relearning",
    source="added here",
    needs=("retain_test", "forget_test"),
)
LEAD = Measure(
    key="lead",
    title="Lead over mask",
    name="Lead over mask",
    short="over mask",
    printed="over mask",
    unit="points",
    better="higher",
    good="above 0",
    digits=2,
    definition="Acc_rt less what blocking the outputs alone gives, in points.",
    meaning="what the method has over the original with the forgotten outputs blocked",
    source="added here",
    needs=("retain_test",),
)
ATTACK = Measure(
    key="attack",
    title="Attack accuracy",
    name="Attack accuracy",
    short="Attack accuracy",
    printed="attack accuracy",
    better="near",
    good="near Retrain",
    digits=2,
    definition="Share of triggered test images of one class that the model reads as the backdoor's target; a model "
    "retrained without the class reads some so too, and its share is the reference, not 0 %.",
    meaning="triggered test images, read as the backdoor's target",
    source="Chundawat et al., 2023; Chen et al., ZS-PAG, section 4.4",
)
ASR = Measure(
    key="asr",
    title="Proxies that succeeded · ASR",
    name="Attacks that succeed",
    short="ASR",
    printed="ASR",
    better="higher",
    good="higher",
    definition="Attack success rate: the share of attacked images that the model then takes for another class.",
    meaning="attacked images that are taken for another class",
    source="Chen et al., ZS-PAG, figure 5",
)
SECONDS = Measure(
    key="seconds",
    title="Time",
    name="Time",
    short="Time",
    printed="seconds",
    unit="s",
    better="lower",
    good="lower",
    definition="The method alone, without grading.",
    meaning="how long the method took, without grading",
    source="Chen et al., ZS-PAG, table 6",
)

GRADED = (ACC_RT, ACC_UT, LOSS_RT, PROBE, ENTROPY, CONFIDENCE, SAME_CLASS, SAME_CLASS_AUC)
"""What a table of figures before and after shows of one model, in this order."""
MEASURES = (*GRADED, RELEARNING, REST_BY_THEN, LEAD, ATTACK, ASR, SECONDS)

PROBE_BY_STAGE = Measure(
    key="depth.probe",
    path=("probe",),
    title="Probe, stage by stage",
    name="Probe, stage by stage",
    short="Probe by stage",
    printed="probe by stage",
    better="near",
    good="near Retrain",
    definition="What a fresh linear layer of all classes, trained on a stage's features averaged over space, reads "
    "right of the forgotten classes' test images.",
    meaning="forgotten classes that a fresh linear layer finds at a stage",
    source="Alain and Bengio, Understanding intermediate layers using linear classifier probes, 2017",
    needs=("retain_train", "retain_test", "forget_test"),
)
KNN_BY_STAGE = Measure(
    key="depth.knn",
    path=("knn",),
    title="Nearest neighbours, stage by stage",
    name="Nearest neighbours, stage by stage",
    short="k-NN by stage",
    printed="k-NN by stage",
    better="near",
    good="near Retrain",
    definition="What the ten nearest training images at a stage, by standardised features, read right of the forgotten "
    "classes' test images.",
    meaning="forgotten classes that the ten nearest training images tell at a stage",
    source="the k-NN evaluation of Wu et al., Unsupervised feature learning via instance discrimination, 2018",
    needs=("retain_train", "retain_test", "forget_test"),
)
BITS_BY_STAGE = Measure(
    key="depth.bits",
    path=("bits",),
    title="Linear-probe bits, stage by stage",
    name="Linear-probe bits, stage by stage",
    short="Bits by stage",
    printed="bits by stage",
    unit="bits",
    better="near",
    good="near Retrain",
    digits=2,
    definition="How much of the one bit that tells forgotten from remaining images a linear discriminant in closed "
    "form reads at a stage.",
    meaning="of one bit, what a linear look tells of forgotten or not",
    source="added here; the bound of Barber and Agakov, The IM algorithm, 2003",
    needs=("retain_train", "retain_test", "forget_test"),
)
INFORMATION_BY_STAGE = Measure(
    key="depth.information",
    path=("information",),
    title="Information, stage by stage · IDI",
    name="Information, stage by stage",
    short="Information by stage",
    printed="information by stage",
    unit="bits",
    better="near",
    good="near Retrain",
    digits=2,
    definition="Mutual information between a stage's features and the forget label, by InfoNCE with a small critic; "
    "IDI is its sum's place between Retrain (0) and Original (1).",
    meaning="of one bit, what a small network tells of forgotten or not",
    source="IDI of Jeon et al., An information theoretic evaluation metric for strong unlearning, AAAI 2026",
    needs=("retain_train", "retain_test", "forget_test"),
)
CKA_BY_STAGE = Measure(
    key="depth.cka",
    title="Likeness of features, stage by stage · CKA",
    name="Likeness of features, stage by stage",
    short="CKA by stage",
    printed="CKA by stage",
    unit="of 1",
    better="near",
    good="1 with Original on remaining images, with Retrain on forgotten ones",
    digits=2,
    definition="Centred kernel alignment of two models' features of the same test images, linear, unbiased, on "
    "standardised features: 1 is alike but for a rotation.",
    meaning="how alike two models see the same images at a stage",
    source="Kornblith et al., Similarity of neural network representations revisited, 2019",
    needs=("retain_test", "forget_test"),
)
PROTOTYPES = Measure(
    key="depth.prototypes",
    path=("prototypes",),
    title="Prototypical relearning",
    name="Prototypical relearning",
    short="Prototypes",
    printed="prototypes",
    better="near",
    good="near Retrain",
    definition="Accuracy on the forgotten classes of a head rebuilt from class means, the forgotten ones' from 1, 5 or "
    "20 images.",
    meaning="forgotten classes that come back with a mean of a few images",
    source="Ha et al., Unlearning's blind spots, ICML 2026",
    needs=("retain_train", "retain_test", "forget_test"),
)
PROBE_OVER_STAGES = Measure(
    key="depth.mean.probe",
    title="Probe, mean over stages",
    name="Probe, mean over stages",
    short="Probe, every stage",
    printed="probe, mean over stages",
    better="near",
    good="near Retrain",
    definition="What a fresh linear layer reads right of the forgotten classes' test images at a stage, mean over all "
    "stages of the network.",
    meaning="forgotten classes that a fresh linear layer finds, mean over stages",
    source="Alain and Bengio, Understanding intermediate layers using linear classifier probes, 2017",
    needs=("retain_train", "retain_test", "forget_test"),
)
BITS_OVER_STAGES = Measure(
    key="depth.mean.bits",
    title="Linear-probe bits, mean over stages",
    name="Bits, mean over stages",
    short="Bits, every stage",
    printed="bits, mean over stages",
    unit="bits",
    better="near",
    good="near Retrain",
    digits=2,
    definition="How much of the one bit that tells forgotten from remaining images a linear discriminant reads at a "
    "stage, mean over all stages of the network.",
    meaning="of one bit, what a linear look tells of forgotten or not, mean over stages",
    source="added here; the bound of Barber and Agakov, The IM algorithm, 2003",
    needs=("retain_train", "retain_test", "forget_test"),
)
PROTOTYPES_OF_FIVE = Measure(
    key="depth.prototypes.5.forget",
    path=("prototypes", "5", "forget"),
    title="Prototypical relearning from 5 images",
    name="Back from 5 images",
    short="From 5 images",
    printed="back from 5 images",
    better="near",
    good="near Retrain",
    definition="Accuracy on the forgotten classes of a head rebuilt from class means, the forgotten ones' from 5 "
    "images.",
    meaning="forgotten classes that come back with a mean of 5 images",
    source="Ha et al., Unlearning's blind spots, ICML 2026",
    needs=("retain_train", "retain_test", "forget_test"),
)
KEPT = Measure(
    key="depth.kept",
    path=("kept", "steps"),
    title="Relearning with the rest kept",
    name="Relearning with the rest kept",
    short="Relearning, rest kept",
    printed="relearning, rest kept",
    unit="steps",
    better="near",
    good="near Retrain",
    digits=0,
    definition="Steps of training on images of all classes until the forgotten ones are back while accuracy on the "
    "rest stays within 2 points.",
    meaning="steps until the class is back and nothing else gone",
    source="added here, after Chundawat et al., Zero-shot machine unlearning, 2023",
    needs=("retain_train", "retain_test", "forget_test"),
)
OVER_UNLEARNING = Measure(
    key="depth.over_unlearning",
    path=("over_unlearning",),
    title="Damage at the border · OU@8/255",
    name="Damage at the border",
    short="OU@8/255",
    printed="OU@8/255",
    unit="nats",
    better="lower",
    good="0",
    digits=2,
    definition="How far answers over the remaining classes move from the original's, on forgotten images pushed within "
    "8/255 to where it hesitates.",
    meaning="change of answers where forgotten classes border on others",
    source="OU@ε of Ha et al., Unlearning's blind spots, ICML 2026",
    needs=("forget_test",),
)
CLASS_ATTACK = Measure(
    key="depth.class_attack",
    path=("class_attack",),
    title="Class membership · CMIA, AUC",
    name="Class membership",
    short="CMIA, AUC",
    printed="CMIA (AUC)",
    better="near",
    good="50, a coin toss",
    definition="How well an attack tells the model from Retrain by the probabilities that forgotten images get of the "
    "remaining classes: 50 % is chance.",
    meaning="told from Retrain by what it takes forgotten images for",
    source="after Ebrahimpour-Boroojeny et al., Unlearning isn't forgetting, ICML 2026",
    needs=("forget_test",),
)
LOW_RATE = Measure(
    key="depth.rates.1",
    path=("rates", "1"),
    title="Membership · found at 1 % false alarms",
    name="Found at 1 % false alarms",
    short="TPR at 1 % FPR",
    printed="TPR at 1 % FPR",
    better="near",
    good="1, the rate of false alarms",
    definition="Share of forgotten training images beyond the loss that only 1 % of forgotten test images are beyond.",
    meaning="members found while 1 in 100 strangers is accused",
    source="Carlini et al., Membership inference attacks from first principles, 2022",
    needs=("forget_test",),
)
LOWEST_RATE = Measure(
    key="depth.rates.0.1",
    path=("rates", "0.1"),
    title="Membership · found at 0.1 % false alarms",
    name="Found at 0.1 % false alarms",
    short="TPR at 0.1 % FPR",
    printed="TPR at 0.1 % FPR",
    better="near",
    good="0.1, the rate of false alarms",
    definition="Share of forgotten training images beyond the loss that only 0.1 % of forgotten test images are "
    "beyond.",
    meaning="members found while 1 in 1,000 strangers is accused",
    source="Carlini et al., Membership inference attacks from first principles, 2022",
    needs=("forget_test",),
)
U_LIRA = Measure(
    key="depth.u_lira.auc",
    path=("u_lira", "auc"),
    title="Membership against references · U-LiRA, AUC",
    name="Membership against references",
    short="U-LiRA, AUC",
    printed="U-LiRA (AUC)",
    better="near",
    good="50, a coin toss",
    definition="How well a likelihood ratio from reference models, trained with and without each image and not "
    "unlearned as the published ones are, tells forgotten training from test images by answers over the remaining "
    "classes: 50 % is chance.",
    meaning="members told by references trained with and without each image",
    source="after Hayes et al., Inexact unlearning needs more careful evaluations, 2024; Carlini et al., 2022",
    needs=("forget_test",),
)
U_LIRA_FOUND = Measure(
    key="depth.u_lira.found",
    path=("u_lira", "found"),
    title="Membership against references · found at 1 % false alarms",
    name="Found by references at 1 % false alarms",
    short="U-LiRA, TPR at 1 % FPR",
    printed="U-LiRA (TPR at 1 % FPR)",
    better="near",
    good="1, the rate of false alarms",
    definition="Share of forgotten training images whose likelihood ratio is above all but 1 % of the forgotten test "
    "images'.",
    meaning="members found by references while 1 in 100 strangers is accused",
    source="after Hayes et al., Inexact unlearning needs more careful evaluations, 2024; Carlini et al., 2022",
    needs=("forget_test",),
)
WORST = Measure(
    key="depth.worst",
    title="Most that is left",
    name="Most that is left",
    short="Most left",
    printed="most left",
    better="lower",
    good="0",
    digits=0,
    definition="The largest share of the way from Retrain (0 %) to Original (100 %) that any of these measures still "
    "finds, at any stage.",
    meaning="where the best attack still finds most",
    source="added here",
    needs=("retain_train", "retain_test", "forget_test"),
)

BY_STAGE = (PROBE_BY_STAGE, KNN_BY_STAGE, BITS_BY_STAGE, INFORMATION_BY_STAGE)
"""What is measured of one model at every stage; paths lead into a model's part of "depth" in result.json."""
OF_WHOLE = (KEPT, CLASS_ATTACK, LOW_RATE, LOWEST_RATE, U_LIRA, U_LIRA_FOUND, OVER_UNLEARNING)
"""What is measured of one model as a whole, where everything is."""
IN_COMPARISONS = (PROBE_OVER_STAGES, BITS_OVER_STAGES, PROTOTYPES_OF_FIVE)
"""What a comparison's table shows of a model's depth, where that was measured."""
DEPTH = (*BY_STAGE, CKA_BY_STAGE, PROTOTYPES, *OF_WHOLE, WORST, *IN_COMPARISONS)
"""All that is known of the depth of forgetting."""

FORGET_IMAGES = Estimate(
    "forget_accuracy",
    "forget_images",
    "Forget images still recognised",
    "images to forget, read as their class: the method saw them",
)
HELD_OUT_IMAGES = Estimate(
    "held_out_accuracy", "", "Held-out images still recognised", "images of the class that the method did not see"
)
PROXY_AGREEMENT = Estimate(
    "proxy_agreement",
    "proxy_agreement",
    "Proxies read as before",
    "stand-ins for the remaining classes, read as their class",
)
ESTIMATES = (FORGET_IMAGES, HELD_OUT_IMAGES, PROXY_AGREEMENT)

FORGET_SAMPLE = "forget_sample"
"""Reported of an epoch: how many of the images to forget its figure of them is of, where it is not of all."""

PER_EPOCH = (
    "loss",
    ACC_RT.key,
    ACC_UT.key,
    FORGET_IMAGES.per_epoch,
    "mia",
    PROXY_AGREEMENT.per_epoch,
    "free_gradient",
    "learning_rate",
)
"""What a row of the history may hold, in the order of a log; "mia" is the same-class attack's accuracy there."""
