from __future__ import annotations

from ui.results.fence import kept_for_grading, needs_retain, seen_by_method


def test_zero_shot_run_saw_model_and_forget_samples(make_view):
    view = make_view()
    assert not needs_retain(view)
    seen = seen_by_method(view)
    assert seen[0] == "the original model"
    assert seen[1] == "5 training images of :orange[3]: the forget samples"
    assert "225 proxies" in seen[2]
    assert not any("remaining" in line for line in seen)


def test_retraining_saw_the_rest_too(make_view):
    view = make_view(method="retrain")
    assert needs_retain(view)
    assert "all training images of the remaining classes" in seen_by_method(view)[-1]


def test_grading_counts_what_it_used(make_view):
    lines = kept_for_grading(make_view())
    assert lines[0].startswith("40 test images")
    assert sum(line.startswith("30 ") for line in lines) == 4
    assert "probe" in lines[-1]


def test_grading_of_an_older_run_without_outputs(make_view):
    view = make_view()
    lines = kept_for_grading(type(view)(**vars(view) | {"grading": None}))
    assert lines[0].startswith("the test images")
