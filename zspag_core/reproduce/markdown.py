"""A comparison as a Markdown page: what was compared and how, one table, what must be known besides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zspag_core.metrics.catalogue import (
    ACC_RT,
    ACC_UT,
    ASR,
    ATTACK,
    CONFIDENCE,
    ENTROPY,
    FORGOTTEN_UP_TO,
    IN_COMPARISONS,
    LEAD,
    PROBE,
    RELEARNING,
    REST_BY_THEN,
    SAME_CLASS_AUC,
    SECONDS,
)
from zspag_core.reproduce.comparison import BLIND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zspag_core.metrics.catalogue import Measure
    from zspag_core.reproduce.comparison import Comparison, Row
    from zspag_core.reproduce.scale import Scale

COLUMNS = (
    ACC_RT,
    ACC_UT,
    ATTACK,
    ASR,
    ENTROPY,
    CONFIDENCE,
    SAME_CLASS_AUC,
    PROBE,
    RELEARNING,
    REST_BY_THEN,
    *IN_COMPARISONS,
    SECONDS,
)
IN_THE_PAPER = (ACC_RT, ACC_UT, ATTACK, ENTROPY, SECONDS)
ALWAYS = (ACC_RT, ACC_UT, PROBE, RELEARNING, SECONDS)
LEGEND = """\
*Acc_rt*, *Acc_ut*: accuracy on test images of the remaining and of the forgotten classes, in percent; *over mask*:
Acc_rt minus that of the mask row, since masking the forgotten logits already gains as much and learns nothing.
*MIA entropy*: share of forgotten training images judged members, nearer to Retrain is better (the paper's Acc_mia);
*MIA confidence*: share judged non-members, higher is better; *same class*: AUC of forgotten training against forgotten
test images, 50 is ideal. *Probe*: accuracy on the forgotten classes of a linear probe on the penultimate features;
*relearning steps*: plain fine-tuning steps until the classes are back at 90 % of the original's accuracy (≥: not back
by then). For both, Original and Retrain are the two ends. *Seconds*: the method alone, without grading. Mean ± standard
deviation over seeds. Methods marked † need remaining data, all others see the forget samples alone."""
REST = """\
*The rest by then*: accuracy on remaining classes after the steps of relearning; near 0 the class has not come back, all
images are read as it."""
DEPTH = """\
*Mean over stages*: at the output of every stage, averaged over space, a new linear layer reads so much of the forgotten
test images right (*probe*), and a linear discriminant tells so much of "forgotten or not" (*bits*, of 1). *Back from 5
images*: the head rebuilt from class means, the forgotten ones' from 5 images. The same images for all rows and seeds;
Original and Retrain are the two ends."""

TUNING = """\
*official*: the settings of the method's official program. *tuned*: {trials} trials for every method with seed 0,
halving the range of its main knob on a logarithmic scale: gentler after a trial that forgot enough, stronger after one
that did not. All else is at its default, with ten epochs where a method has epochs (Neggrad five, which are twice as
long; ZS-PAG until its own rule stops it). Methods learn from four fifths of their training images and are judged on the
last fifth, never on test images: highest remaining accuracy among trials with at most {forgotten:g} % on forgotten
classes, else the least forgotten accuracy. The chosen value is then run on all training images given, with every
seed."""


BLINDLY = """\
*tuned blindly*: the same trials judged without remaining images, as a zero-shot method would have to choose: the mean
probability of the proxies' classes stands in for remaining accuracy, proxies made at ZS-PAG's defaults of the forget
images that the methods learn from."""


def as_markdown(comparison: Comparison, scale: Scale) -> str:
    """Return the page."""
    rows = [_line(comparison, row) for row in comparison.rows]
    heads = _heads(comparison)
    table = [_joined(heads), "|" + "---|" * len(heads), *map(_joined, rows)]
    notes = [f"- {note}" for note in comparison.notes]
    parts = [
        f"# {comparison.title}",
        comparison.question,
        _setting(comparison),
        "\n".join(table),
        LEGEND,
        REST if any(row.mean_and_deviation(REST_BY_THEN.key) for row in comparison.rows) else "",
        DEPTH if comparison.knows_depth else "",
        _tuning(comparison, scale),
        "\n".join(notes),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _setting(comparison: Comparison) -> str:
    """Say in a sentence or two what was compared, where and when."""
    names = [(str(k), comparison.class_names[k]) for k in comparison.forget]
    classes = ", ".join(name if name == number else f"{number} ({name})" for number, name in names)
    accuracy = "" if comparison.test_accuracy is None else f" (test accuracy {comparison.test_accuracy:.2f} %)"
    return (
        f"Data {comparison.data}, model {comparison.model}{accuracy}; forgotten: {classes}; "
        f"methods were given {comparison.forget_images:,} forget and, where they need them, "
        f"{comparison.retain_images:,} remaining training images. Scale {comparison.scale}, {comparison.device}, "
        f"{comparison.date}."
    )


def _tuning(comparison: Comparison, scale: Scale) -> str:
    """Say how methods were tuned, where any was."""
    if all(row.kind != "tuned" for row in comparison.rows):
        return ""
    text = TUNING.format(trials=scale.trials, forgotten=FORGOTTEN_UP_TO)
    text += f" {BLINDLY}" if any(row.kind == BLIND for row in comparison.rows) else ""
    if comparison.row("gkt") and not comparison.row("gkt_tuned"):
        text += (
            f" GKT is not tuned at this scale and gets {scale.invented_batches} invented batches where its authors "
            "take 4,000: its figures here say little of it."
        )
    if scale.official_seeds:
        others = " and tuned methods that need remaining data" if scale.retain_seeds else ""
        text += f" Rows with official settings{others} have {scale.official_seeds} seed at this scale."
    return text


def _heads(comparison: Comparison) -> list[str]:
    heads = ["method", "settings"]
    for measure in _columns(comparison):
        heads.append(measure.printed)
        if _has_paper(comparison, measure):
            heads.append(f"{measure.printed}, paper")
        if measure is ACC_RT:
            heads.append(LEAD.printed)
    return heads


def _line(comparison: Comparison, row: Row) -> list[str]:
    """Return the cells of one row."""
    cells = [row.label + (" †" if row.needs_retain else ""), _settings(row)]
    for measure in _columns(comparison):
        cells.append(_figure(row, measure))
        if _has_paper(comparison, measure):
            cells.append(_number((row.paper or {}).get(measure.key), measure))
        if measure is ACC_RT:
            cells.append(_over_mask(comparison, row))
    return cells


def _columns(comparison: Comparison) -> list[Measure]:
    """Return the measures that say something."""
    return [
        measure
        for measure in COLUMNS
        if measure in ALWAYS or any(row.mean_and_deviation(measure.key) for row in comparison.rows)
    ]


def _has_paper(comparison: Comparison, measure: Measure) -> bool:
    return measure in IN_THE_PAPER and any(measure.key in (row.paper or {}) for row in comparison.rows)


def _settings(row: Row) -> str:
    """Say a row's kind and, where it was tuned, what was chosen."""
    if row.kind == "reference":
        return "reference"
    shown = {name: value for name, value in row.settings.items() if name in {"learning_rate", "alpha"}}
    if row.kind in {"tuned", BLIND}:
        how = "tuned" if row.kind == "tuned" else "tuned blindly"
        return f"{how}: " + ", ".join(f"{name} {value:.3g}" for name, value in shown.items())
    return row.kind


def _figure(row: Row, measure: Measure) -> str:
    """Say mean and deviation of a measure."""
    found = row.mean_and_deviation(measure.key)
    if found is None:
        return "failed" if measure is ACC_RT and any(outcome.error for outcome in row.seeds) else "–"
    mean, deviation = found
    text = _number(mean, measure) + ("" if deviation is None else f" ± {_number(deviation, measure)}")
    made = [outcome for outcome in row.seeds if outcome.value(measure.key) is not None]
    if measure is ACC_RT and len(made) < len(row.seeds):
        text += f" ({len(made)} of {len(row.seeds)} seeds, the others failed)"
    unreached = measure is RELEARNING and any(outcome.relearned is False for outcome in row.seeds)
    return f"≥ {text}" if unreached else text


def _over_mask(comparison: Comparison, row: Row) -> str:
    """Say by how much a row's Acc_rt lies above that of masking."""
    mask = comparison.row("mask")
    base = None if mask is None else mask.mean_and_deviation(ACC_RT.key)
    found = row.mean_and_deviation(ACC_RT.key)
    return "–" if base is None or found is None else f"{found[0] - base[0]:+.{LEAD.digits}f}"


def _number(value: float | None, measure: Measure) -> str:
    return "–" if value is None else f"{value:.{measure.digits}f}"


def _joined(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
