from __future__ import annotations

from dataclasses import replace

import pytest

from ui.results.depth import KIND, depth_of, images_words, is_open, whole_table, worst_words
from ui.results.reference import Reference
from zspag_core.jobs import Lane, State

NONE = Reference()
QUICK, ALL = {"precision": "float32"}, {"precision": "float64"}


@pytest.fixture
def measured(store):
    """Let the worker end a question about a run."""

    def measured(job, extent, answer, state=State.DONE):
        store.submit(KIND, {"run": job.id, "extent": extent})
        store.heartbeats.beat("w", "worker", (Lane.RUNS,), "cpu")
        store.finish(store.claim(Lane.RUNS, "w", "cpu"), state, answer=answer)

    return measured


def test_what_was_measured_most_closely_counts(make_view, measured):
    view = make_view()
    assert depth_of(view, NONE) is None
    known = replace(view, result={**view.result, "depth": {"precision": "recorded"}})
    assert depth_of(known, NONE) == {"precision": "recorded"}
    measured(view.job, "all", ALL)
    measured(view.job, "quick", QUICK)
    measured(view.job, "all", None, State.FAILED)
    assert depth_of(view, NONE) == depth_of(known, NONE) == ALL


def test_figures_of_the_whole_models_make_a_table():
    shots = {"5": {"forget": 81.25, "rest": 90.0}}
    models = {role: {"prototypes": shots} for role in ("original", "unlearned")}
    table = whole_table({"models": models, "idi": 0.25}).replace("\N{NO-BREAK SPACE}", " ")
    assert "| Prototypical relearning, 5 images | 81.2 % | 81.2 % | – |" in table
    assert "| Information, stage by stage · IDI | 1 | 0.25 | 0 |" in table


def test_the_worst_case_is_named():
    assert worst_words({"worst": None}) == ""
    worst = {"measure": "bits", "stage": "stage 2", "share": 96.0}
    assert "of linear-probe bits, stage by stage at stage 2: 96.0 %" in worst_words({"worst": worst})
    whole = {"measure": "prototypes_20", "stage": "", "share": 50.0}
    assert "of prototypical relearning (20 images): 50.0 %" in worst_words({"worst": whole})


def test_words_count_the_images():
    counts = {"forget_train": 100, "rest_train": 1900, "forget_test": 50, "rest_test": 250}
    assert images_words({"precision": "float64", "images": counts}) == (
        "Computed in float64 on 2,000 training and 300 test images, 50 of them of forgotten classes."
    )


def record(after, seed=0):
    """Return a run's depth as its own record has it, on a draw of images by a seed."""
    figures = {name: [50.0, 60.0] for name in ("probe", "probe_rest", "knn", "knn_rest", "bits")}
    shots = {"prototypes": {"5": {"forget": 50.0, "rest": 90.0}}}
    models = {"original": figures | shots, "unlearned": figures | shots | {"probe": after}}
    about = {"stages": ["one", "two"], "images": {}, "precision": "float32", "extent": "quick", "data": "digits"}
    about["seed"] = seed
    return about | {"models": models, "cka": {}, "left": None}


def test_a_retraining_runs_record_is_the_other_end_where_it_saw_the_same_images(make_view, store):
    view = make_view()
    known = replace(view, result={**view.result, "depth": record([50.0, 50.0])})
    assert depth_of(known, NONE) == record([50.0, 50.0])
    other, same = (replace(view.job, answer={"depth": record([20.0, 30.0], seed)}) for seed in (1, 0))
    assert depth_of(known, Reference((other,))) == record([50.0, 50.0])
    joined = depth_of(known, Reference((other, same)))
    assert depth_of(known, Reference(shipped=({"depth": record([20.0, 30.0])}, {}))) == joined
    assert joined["models"]["retrained"]["probe"] == [20.0, 30.0]
    assert joined["left"]["probe"] == pytest.approx(100 * (50 - 25) / (55 - 25))


@pytest.mark.parametrize(
    ("extent", "precision", "roles", "references", "offered"),
    [
        ("quick", None, (), 0, True),
        ("all", None, (), 0, True),
        ("quick", "float32", (), 0, False),  # a run brings it along
        ("quick", "float32", (), 1, True),  # but not Retrain on the same images
        ("quick", "float32", ("retrained",), 1, False),
        ("all", "float32", ("retrained",), 1, True),
        ("all", "float64", ("retrained",), 1, False),
        ("all", "float64", (), 1, True),
        ("quick", "float64", (), 1, False),
    ],
)
def test_what_is_not_known_yet_is_offered(extent, precision, roles, references, offered, make_view):
    found = precision and {"precision": precision, "models": dict.fromkeys(roles)}
    assert is_open(extent, found, [make_view().job] * references) == offered
