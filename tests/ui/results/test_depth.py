from __future__ import annotations

from dataclasses import replace

import pytest

from ui.results.depth import KIND, depth_of, images_words, whole_table, worst_words
from zspag_core.jobs import Lane, State

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
    assert depth_of(view) is None
    known = replace(view, result={**view.result, "depth": {"precision": "recorded"}})
    assert depth_of(known) == {"precision": "recorded"}
    measured(view.job, "all", ALL)
    measured(view.job, "quick", QUICK)
    measured(view.job, "all", None, State.FAILED)
    assert depth_of(view) == depth_of(known) == ALL


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
