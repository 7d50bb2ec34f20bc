"""The harness on a tiny network: resuming, tuning on held-out images, every table and every method."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch

from zspag_core.cli import main
from zspag_core.errors import UnlearningError
from zspag_core.methods import Unlearned, find_method
from zspag_core.methods.catalogue import TuningRange
from zspag_core.reproduce import row_filler, rows, tables
from zspag_core.reproduce.comparison import BLIND, Comparison
from zspag_core.reproduce.experiment import Experiment
from zspag_core.reproduce.harness import Harness
from zspag_core.reproduce.markdown import as_markdown
from zspag_core.reproduce.row_filler import RowFiller
from zspag_core.reproduce.row_plan import RowPlan
from zspag_core.reproduce.setups import SETUPS

MIA = {"entropy_svc": 40.0, "confidence_svc": 90.0, "same_class": {"accuracy": 50.0, "auc": 51.0, "auc_ci": None}}
GRADES = {"acc_rt": 90.0, "acc_ut": 80.0, "mia": MIA, "probe": 60.0, "relearning": 3, "relearned": True}


@pytest.fixture
def faked(monkeypatch):
    """Let methods and grading cost nothing; return the settings of every run."""
    runs = []

    def unlearn(self, method, samples, seed, purpose):
        runs.append((method, seed, purpose))
        return Unlearned(self.subject.original.model, seconds={"unlearn": 2.0})

    monkeypatch.setattr(RowFiller, "unlearn", unlearn)
    monkeypatch.setattr(RowFiller, "_grades", lambda *_: dict(GRADES))
    return runs


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """A folder in which all tests of this module keep trained originals."""
    return tmp_path_factory.mktemp("originals")


@pytest.fixture
def build(tiny, tmp_path, originals):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "originals").symlink_to(originals)

    def harness(seeds=1, scale=tiny, **more):
        return Harness(tmp_path / "out", scale, device=torch.device("cpu"), seeds=seeds, **more)

    return harness


def _arena(plans, **more):
    return Experiment(
        name="table9-digits",
        title="Nine",
        question="Why?",
        setup=SETUPS["small"]["digits-resnet"],
        forget=(3,),
        plans=plans,
        paper={"zspag": {"acc_rt": 85.47, "acc_ut": 1.40}},
        **more,
    )


ZSPAG = RowPlan(key="zspag", label="ZS-PAG", method="zspag", paper="zspag")
TUNED = TuningRange(name="learning_rate", low=1e-3, high=0.1)


@pytest.mark.slow
def test_what_is_finished_is_not_made_again(build, faked):
    experiment = _arena([*rows.references(), ZSPAG, replace(ZSPAG, key="tuned", kind="tuned", knob=TUNED)])
    lines = []
    first = build(seeds=2, tell=lines.append).compare(experiment)
    made = len(faked)
    assert made == 1 + 1 + 2 + 2 + 2  # mask and Retrain once, two seeds, two trials, two seeds
    assert "[9/9, about 0 s left]" in lines[-1]
    again = build(seeds=2).compare(experiment)
    assert len(faked) == made
    assert again.rows == first.rows
    assert Comparison.read(build().out / "table9-digits.json") == again


@pytest.mark.slow
def test_a_changed_configuration_is_made_again(build, faked, tiny):
    build().compare(_arena([ZSPAG]))
    for changed, experiment in (
        (tiny, _arena([replace(ZSPAG, settings={"epsilon": 0.2})])),
        (replace(tiny, forget_images=10), _arena([ZSPAG])),
        (tiny, replace(_arena([ZSPAG]), forget=(4,))),
        (tiny, _arena([ZSPAG], timing=True)),
    ):
        before = len(faked)
        build(scale=changed).compare(experiment)
        assert len(faked) > before


def test_rows_with_the_same_settings_share_their_cells(build, faked):
    same = replace(ZSPAG, key="other", label="The same under another name", settings={"attack": "pgd"})
    comparison = build().compare(_arena([ZSPAG, same]))
    assert len(faked) == 1
    assert comparison.row("other").seeds == comparison.row("zspag").seeds


def test_tuning_asks_held_out_training_images_and_never_test_images(build, faked, monkeypatch):
    asked = []
    real = row_filler.accuracy

    def accuracy(logits, labels, forget):
        asked.append(labels)
        return real(logits, labels, forget)

    monkeypatch.setattr(row_filler, "accuracy", accuracy)
    harness = build()
    harness.compare(_arena([replace(ZSPAG, kind="tuned", knob=TUNED)]))
    subject = harness.subject(SETUPS["small"]["digits-resnet"], (3,))
    assert len(asked) == 2
    assert all(labels is subject.held.labels for labels in asked)
    tuning = torch.cat([subject.tuning.forget.images, subject.tuning.retain.images])
    assert len(tuning) + len(subject.held) == len(subject.samples.forget) + len(subject.samples.retain)

    def keys(images):
        return {image.numpy().tobytes() for image in images}

    train, test = subject.original.dataset.train, subject.original.dataset.test
    assert not keys(subject.held.images) & keys(tuning)
    assert keys(subject.held.images) <= keys(train.images)
    assert not keys(subject.held.images) & keys(test.images)


@pytest.mark.slow
def test_blind_tuning_sees_held_out_forget_images_and_proxies_alone(build, faked, monkeypatch):
    asked, proxies = [], []
    real, read = row_filler.accuracy, row_filler.outputs_of_pixels

    def accuracy(logits, labels, forget):
        asked.append(labels)
        return real(logits, labels, forget)

    def outputs_of_pixels(model, images):
        proxies.append(images)
        return read(model, images)

    monkeypatch.setattr(row_filler, "accuracy", accuracy)
    monkeypatch.setattr(row_filler, "outputs_of_pixels", outputs_of_pixels)
    harness = build()
    plan = replace(ZSPAG, key="zspag_blind", kind=BLIND, knob=TUNED, blind=True)
    (row,) = harness.compare(_arena([plan])).rows
    subject = harness.subject(SETUPS["small"]["digits-resnet"], (3,))
    count = int((subject.held.labels == 3).sum())
    assert [labels.tolist() for labels in asked] == [[3] * count] * 2
    assert len(proxies) == 2
    assert proxies[0] is proxies[1], "the yardstick is made once"
    assert len(proxies[0])
    assert row.kind == BLIND
    assert TUNED.low <= row.settings["learning_rate"] <= TUNED.high


def test_a_blind_row_stands_beside_every_tuned_one_that_needs_no_remaining_data(tiny):
    plans = {plan.key: plan for plan in rows.rivals(tiny)}
    blind = {plan.method for plan in plans.values() if plan.kind == BLIND}
    tuned = {plan.method for plan in plans.values() if plan.kind == "tuned" and not rows.needs_retain(plan)}
    assert blind == tuned
    assert all(plans[f"{method}_blind"].knob == plans[f"{method}_tuned"].knob for method in blind)


def test_the_value_that_tuning_chose_is_run_with_every_seed(build, faked):
    comparison = build(seeds=2).compare(_arena([replace(ZSPAG, kind="tuned", knob=TUNED)]))
    trials = [method.learning_rate for method, _, purpose in faked if purpose == "tuning"]
    finals = [(method.learning_rate, seed) for method, seed, purpose in faked if purpose == "final"]
    chosen = comparison.rows[0].settings["learning_rate"]
    assert len(trials) == 2
    assert chosen in trials
    assert finals == [(chosen, 0), (chosen, 1)]


def test_a_method_that_fails_has_a_row_that_says_so(build, faked, monkeypatch, tiny):
    def fail(*_):
        raise UnlearningError("the loss became nan")

    monkeypatch.setattr(RowFiller, "unlearn", fail)
    comparison = build().compare(_arena([ZSPAG]))
    (outcome,) = comparison.rows[0].seeds
    assert (outcome.acc_rt, outcome.stopped, outcome.error) == (None, "failed", "the loss became nan")
    assert "| failed |" in as_markdown(comparison, tiny)


def test_a_method_that_refuses_the_network_has_such_a_row_too(build):
    plan = RowPlan(key="erase", label="Erasure", method="erase", settings={"depth": 9})
    outcome = build().compare(_arena([plan])).rows[0].seeds[0]
    assert outcome.stopped == "failed"
    assert outcome.error.startswith("depth: expected at most")


def test_a_model_whose_outputs_are_no_numbers_has_failed_too(build, monkeypatch):
    def overflow(self, *_):
        model = copy.deepcopy(self.subject.original.model)
        with torch.no_grad():
            model.head.weight.fill_(3e38)  # finite weights, but not what is computed of them
            model.head.weight[::2] *= -1
        return Unlearned(model, seconds={"unlearn": 2.0})

    monkeypatch.setattr(RowFiller, "unlearn", overflow)
    comparison = build().compare(_arena([ZSPAG, replace(ZSPAG, key="tuned", kind="tuned", knob=TUNED)]))
    for row in comparison.rows:
        assert row.seeds[0].stopped == "failed"
        assert "expected numbers as its outputs" in row.seeds[0].error
    assert comparison.rows[1].settings["learning_rate"] < TUNED.high, "too strong: the gentler value is chosen"


@pytest.mark.slow
def test_depth_is_asked_of_every_row_on_request(build, monkeypatch):
    experiment = _arena(rows.references()[:2])
    plain = build()
    assert not plain.compare(experiment).knows_depth
    asked = []
    real = row_filler.measure_quickly

    def measure(models, dataset, forget, *, seed):
        asked.append((len(dataset.train), len(dataset.test), tuple(forget), seed))
        return real(models, dataset, forget, seed=seed)

    monkeypatch.setattr(row_filler, "measure_quickly", measure)
    deep = build(depth=True)
    original, masked = deep.compare(experiment).rows
    subject = deep.subject(SETUPS["small"]["digits-resnet"], (3,))
    assert asked == [(len(subject.dataset.train), len(subject.dataset.test), (3,), 0)] * 2
    assert deep.cells.made == 2, "made anew"
    assert masked.seeds[0].depth == original.seeds[0].depth, "masking changes no feature"
    assert original.seeds[0].depth["mean"]["probe"] > 0
    build(depth=True).compare(experiment)
    again = build()
    assert not again.compare(experiment).knows_depth
    assert (len(asked), again.cells.made) == (2, 0), "both kinds are remembered"


def test_a_timing_says_what_was_measured_before_and_what_a_whole_retrain_takes(build, faked):
    experiment = _arena([*rows.references(), ZSPAG], timing=True)
    assert not any("earlier" in note for note in build().compare(experiment).notes)
    notes = build().compare(experiment).notes
    assert any("4 cells were measured by an earlier start" in note for note in notes)
    assert any(note.startswith("Retrain with all epochs on all images") for note in notes)


@pytest.mark.slow
@pytest.mark.parametrize("scale", ["small", "full"])
@pytest.mark.parametrize("name", [name for name in tables.TABLES if name not in {"fig3", "fig4"}])
def test_every_table_is_filled_written_and_drawn(build, faked, name, scale, capsys):
    out = build().out
    assert main(["reproduce", name, "--scale", scale, "--seeds", "1", "--out", str(out), "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    for experiment in tables.experiments(name, build().scale):
        comparison = Comparison.read(out / f"{experiment.name}.json")
        assert comparison.scale == scale
        page = (out / f"{experiment.name}.md").read_text()
        assert f"written to {out / experiment.name}.md" in said
        assert "| Mask (nothing is learnt) |" in page
        assert "probe | relearning steps | seconds |" in page
        assert ("Acc_rt, paper" in page) == any(row.paper for row in comparison.rows)
    if name.startswith("fig"):
        drawn = "fig2" if name == "fig2" else "fig5-cifar10-vit"
        assert "plotly.min.js" in (out / f"{drawn}.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["table1", "table4", "table5", "fig5"])
def test_digits_are_compared_on_request_with_every_seed_and_all_their_images(build, faked, name):
    out, only = build().out, "digits-resnet"
    assert only not in {experiment.setup.name for experiment in tables.experiments(name, build().scale)}
    assert only in tables.names_of(name, build().scale)
    assert main(["reproduce", name, "--only", only, "--seeds", "2", "--out", str(out), "--device", "cpu"]) == 0
    assert [path.name for path in out.glob("*.json")] == [f"{name}-{only}.json"]
    comparison = Comparison.read(out / f"{name}-{only}.json")
    assert {len(row.seeds) for row in comparison.rows} == {2}
    assert not any(row.paper for row in comparison.rows)
    assert "on 100 of" not in comparison.row("retrain").label, "Retrain has all images"
    assert comparison.forget_images > build().scale.forget_images
    assert any("no digits" in note for note in comparison.notes)
    assert "Digits" in comparison.title


@pytest.mark.slow
def test_times_on_all_images_are_measured_on_request(build, faked):
    out, only = build().out, "cifar10-resnet"
    assert [experiment.setup.name for experiment in tables.experiments("table6", build().scale)] == ["cifar100-resnet"]
    assert main(["reproduce", "table6", "--only", only, "--seeds", "2", "--out", str(out), "--device", "cpu"]) == 0
    comparison = Comparison.read(out / f"table6-{only}.json")
    seeds = {row.key: len(row.seeds) for row in comparison.rows}
    assert (seeds["zspag"], seeds["posterior"], seeds["finetune"], seeds["retrain"]) == (2, 2, 1, 1)
    assert "gkt" not in seeds
    assert "images" not in comparison.row("retrain").label, "Retrain has all images"
    assert comparison.row("retrain").settings["epochs"] == 1
    assert comparison.forget_images > build().scale.forget_images
    assert comparison.retain_images > build().scale.retain_images


@pytest.mark.slow
def test_a_model_that_knows_its_images_is_asked_for_with_the_images_it_knows(build, faked, monkeypatch):
    out, only = build().out, "cifar10-overfitted"
    limited = replace(SETUPS["small"][only], settings={"epochs": 3, "train_limit": 200})
    monkeypatch.setitem(SETUPS["small"], only, limited)
    assert main(["reproduce", "table1", "--only", only, "--seeds", "2", "--out", str(out), "--device", "cpu"]) == 0
    comparison = Comparison.read(out / f"table1-{only}.json")
    methods = {row.method for row in comparison.rows}
    assert "finetune_zs" in methods
    assert "finetune" not in methods
    assert {len(row.seeds) for row in comparison.rows} == {2}
    assert comparison.forget_images + comparison.retain_images <= 200
    assert "images" not in comparison.row("retrain").label


@pytest.mark.slow
def test_every_method_goes_through_the_harness(build, tiny):
    small = replace(tiny, trials=1)
    plans = [replace(plan, settings=_quick(plan)) for plan in [*rows.references(), *rows.rivals(small)]]
    comparison = build(scale=small).compare(_arena(plans))
    assert [row.key for row in comparison.rows] == [plan.key for plan in plans]
    for row in comparison.rows:
        assert all(outcome.error is None for outcome in row.seeds), row.key
        assert all(outcome.acc_rt is not None and outcome.probe is not None for outcome in row.seeds), row.key


def _quick(plan):
    """Take few epochs, attack steps and proxies."""
    known = {} if plan.method is None else find_method(plan.method).__dataclass_fields__
    few = {"epochs": 1, "n_adv": 3, "attack_steps": 2, "cg_steps": 2, "batch_size": 32, "epsilon": 0.3, "gate": 1.0}
    few |= {"images": 20, "synthesis_steps": 1, "passes": 1}
    return dict(plan.settings) | {name: value for name, value in few.items() if name in known}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fig3", "fig4"])
def test_figures_three_and_four_look_at_one_run(build, monkeypatch, name):
    from zspag_core.explain import embedding

    monkeypatch.setattr(embedding, "UMAPMap", lambda features, _seed: embedding.PCAMap(features))
    out, only = build().out, {"fig3": "digits-resnet", "fig4": "cifar10-vit"}[name]
    for made in (1, 0):
        harness = build()
        assert main(["reproduce", name, "--only", only, "--out", str(out), "--device", "cpu"]) == 0
        assert (out / f"{name}-{only}.html").stat().st_size > 1000
        if made:
            cells = {path: path.stat().st_mtime_ns for path in harness.cells.folder.iterdir()}
        else:
            assert cells == {path: path.stat().st_mtime_ns for path in harness.cells.folder.iterdir()}
