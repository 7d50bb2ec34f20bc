"""Filling comparisons row by row, in one folder that remembers what is finished."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from zspag_core.hyperparameters import configure, values
from zspag_core.methods import find_method
from zspag_core.recipes import on_fewer_images, retrain_settings
from zspag_core.reproduce.comparison import Comparison, Row
from zspag_core.reproduce.context import Context
from zspag_core.reproduce.eta import Eta
from zspag_core.reproduce.row_filler import ORIGINAL, RowFiller
from zspag_core.reproduce.subject import Subject, load_original

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zspag_core.methods import Unlearned
    from zspag_core.reproduce.experiment import Experiment
    from zspag_core.reproduce.row_plan import RowPlan
    from zspag_core.reproduce.scale import Scale
    from zspag_core.reproduce.setups import Setup


class Harness(Context):
    """Fills comparisons on one device at one scale, in one folder."""

    _last: tuple[tuple[str, tuple[int, ...], Scale], Subject] | None = None

    def subject(self, setup: Setup, forget: tuple[int, ...], scale: Scale | None = None) -> Subject:
        """Return the model and images of a comparison, at the harness's scale or another; the last is remembered."""
        key = (setup.name, forget, scale or self.scale)
        if self._last is None or self._last[0] != key:
            self.tell(f"{setup.title}: loading or training the original")
            original = load_original(setup, self.out / "originals", self.device, self.report)
            self._last = key, Subject(original, forget, scale or self.scale)
        return self._last[1]

    def compare(self, experiment: Experiment) -> Comparison:
        """Make one comparison and write its JSON file.

        Raises:
            DataError: its data set is not at hand.
            Cancelled: the reporter asked to stop; finished cells are kept.
        """
        subject, scale = (
            self.subject(experiment.setup, experiment.forget, experiment.scale),
            experiment.scale or self.scale,
        )
        plans = [_adapted(plan, subject, scale) for plan in experiment.plans]
        filler, found = RowFiller(self, experiment, subject, self._eta(plans, scale)), self.cells.found
        if experiment.timing:
            filler.warm_up()
        rows = [filler.row(plan) for plan in plans]
        notes = timing_notes(subject, rows, self.cells.found - found) if experiment.timing else []
        comparison = self._comparison(experiment, subject, rows, notes)
        comparison.write(self.out / f"{experiment.name}.json")
        return comparison

    def fill(self, experiment: Experiment, plan: RowPlan) -> None:
        """Make the cells of one row, and the original's, without which relearning has no goal."""
        subject, scale = (
            self.subject(experiment.setup, experiment.forget, experiment.scale),
            experiment.scale or self.scale,
        )
        asked = {one.key: _adapted(one, subject, scale) for one in (experiment.plans[0], plan)}
        filler = RowFiller(self, experiment, subject, self._eta(list(asked.values()), scale))
        for one in asked.values():
            filler.row(one)

    def view(self, experiment: Experiment, look: Callable[[Subject, Unlearned], dict[str, Any]]) -> dict[str, Any]:
        """Run ZS-PAG once and return what is seen in the outcome, from its cell where that is there.

        Args:
            experiment: model, data and classes.
            look: makes plain values of the subject and the run.

        Raises:
            DataError: the data set is not at hand.
        """
        subject = self.subject(experiment.setup, experiment.forget)
        filler, method = RowFiller(self, experiment, subject, Eta([])), configure(find_method("zspag"), {})

        def make() -> dict[str, Any]:
            return look(subject, filler.unlearn(method, subject.samples, 0, "final"))

        identity = {"subject": subject.identity, "settings": values(method), "purpose": look.__name__}
        self.tell(f"{experiment.name}: ZS-PAG, seed 0")
        return self.cells.once(experiment.name, identity, make)

    def _eta(self, plans: Sequence[RowPlan], scale: Scale) -> Eta:
        """Return an estimate of the time left for the cells of some rows."""
        counts = [self.seeds_of(plan) + (scale.trials if plan.knob else 0) for plan in plans]
        return Eta([(plan.method or ORIGINAL, count) for plan, count in zip(plans, counts, strict=True)])

    def _comparison(self, experiment: Experiment, subject: Subject, rows: list[Row], more: list[str]) -> Comparison:
        """Put everything together."""
        notes = [*experiment.notes, experiment.setup.note, *more]
        return Comparison(
            name=experiment.name,
            title=experiment.title,
            question=experiment.question,
            data=subject.dataset.name,
            model=experiment.setup.model,
            test_accuracy=subject.original.test_accuracy,
            forget=list(experiment.forget),
            class_names=list(subject.dataset.class_names),
            scale=self.scale.name,
            device=self.device_name,
            date=datetime.now(UTC).date().isoformat(),
            forget_images=len(subject.samples.forget),
            retain_images=len(subject.samples.retain),
            rows=rows,
            notes=[note for note in notes if note],
        )


def timing_notes(subject: Subject, rows: Sequence[Row], found: int) -> list[str]:
    """Return what a reader of times must know: what a whole Retrain would take, and what was measured earlier."""
    notes = []
    retrain = next((row for row in rows if row.method == "retrain"), None)
    measured = None if retrain is None else retrain.mean_and_deviation("seconds")
    if retrain is not None and measured is not None:
        whole = int(subject.original.recipe.get("epochs", 20)) / int(retrain.settings["epochs"])
        whole *= len(subject.seen.train.without_classes(subject.forget)) / len(subject.pool)
        if whole > 1:
            notes.append(
                f"Retrain with all epochs on all images would take {whole:.3g} times as long, "
                f"about {whole * measured[0]:,.0f} s."
            )
    if found:
        notes.append(f"{found} cells were measured by an earlier start of the same command.")
    return notes


def _adapted(plan: RowPlan, subject: Subject, scale: Scale) -> RowPlan:
    """Give Retrain the original's recipe, as far as the scale allows."""
    if plan.method != "retrain":
        return plan
    recipe, most = subject.original.recipe, scale.retrain_epochs
    whole = int(recipe.get("epochs", 20))
    epochs = min(whole, most) if most else whole
    label = plan.label if epochs == whole else f"{plan.label} ({epochs} of {whole} epochs)"
    settings = retrain_settings(recipe) | {"epochs": epochs}
    total = len(subject.seen.train.without_classes(subject.forget))
    if len(subject.pool) < total:
        label += f" on {len(subject.pool):,} of {total:,} images"
        settings = on_fewer_images(settings)
    return replace(plan, label=label, settings=settings, seeds=scale.retrain_seeds or None)
