"""Pages with a run, or with data, that has nothing but images to forget: a sentence in every empty place."""

from __future__ import annotations

import json
import re

import pytest

from ui.shell.jobs import engine_question
from ui.shell.selection import choice_of_own
from zspag_core.jobs import Lane, State

WHY = "The data lacks images of remaining classes and test images"
PARTS = ("Classes", "Membership", "Depth", "Layers", "Labels", "What the method saw", "Downloads")


def texts(at):
    parts = [*at.markdown, *at.caption, *at.info, *at.warning, *at.error]
    return " ".join(str(part.value) for part in parts).replace("\N{NO-BREAK SPACE}", " ")


def alts(at):
    return [chart.proto.alt for chart in at.get("plotly_chart")]


@pytest.fixture
def run(finish, run_config, make_record, write_arrays):
    """A finished run on images of class 3 alone."""
    result = make_record(only_forget=True)
    job = finish("unlearn", run_config, answer=result)
    write_arrays(job.folder, result)
    (job.folder / "result.json").write_text(json.dumps(result))
    return job


@pytest.fixture
def looked(finish, checkpoint, picture):
    """Let the worker have said that the data has images of class 3 alone."""
    from zspag_core.tasks.describe import describe_engine

    classes = [
        {"name": str(k), "picture": picture if k == 3 else None, "train": 140 if k == 3 else 0, "test": 0}
        for k in range(10)
    ]
    answer = {"classes": classes, "fits": None, "class_names": [one["name"] for one in classes]}
    finish("inspect_data", choice_of_own(checkpoint).question, lane=Lane.INTERACTIVE, answer=answer)
    finish("engine", engine_question(), lane=Lane.INTERACTIVE, answer=describe_engine())


def button(page, label):
    return next(one for one in page.button if one.label == label)


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_every_part_of_the_results_stands_without_grades(open_page, run, part):
    page = open_page("5_Results.py", run)
    page.session_state["part"] = next(tab.label for tab in page.tabs if tab.label.endswith(part))
    page.run()
    assert not page.exception, page.exception[0].message
    assert WHY in texts(page)
    assert [metric.value for metric in page.metric][:2] == ["1.0 %", "97.5 %"]
    assert {metric.value for metric in page.metric[2:7]} == {"–"}
    assert not any("Accuracy of each class" in words or "Figures on one scale" in words for words in alts(page))
    assert not any("remaining classes unknown" in words for words in alts(page))
    assert not re.search(r"(?<![\d.])0\.0 %", texts(page))
    assert "Make the Retrain reference" not in [one.label for one in page.button]
    assert "Count the steps of relearning" not in [one.label for one in page.button]


@pytest.mark.slow
def test_results_of_two_runs_one_graded_one_not(open_page, run, finish, run_config, make_record, write_arrays):
    whole = make_record()
    other = finish("unlearn", run_config, answer=whole)
    write_arrays(other.folder, whole)
    page = open_page("5_Results.py", run, other)
    assert "Forget images still recognised · estimate" in texts(page)
    for part in PARTS:
        page.session_state["part"] = next(tab.label for tab in page.tabs if tab.label.endswith(part))
        page.run()
        assert not page.exception, page.exception[0].message


@pytest.mark.slow
def test_grading_later_is_offered_queued_and_followed(open_page, run, store):
    page = open_page("5_Results.py", run)
    grade = next(one for one in page.button if one.key == "grade-go-A")
    assert grade.disabled
    next(box for box in page.selectbox if box.key == "grade-data-A").set_value("digits").run()
    next(one for one in page.button if one.key == "grade-go-A").click().run()
    assert not page.exception
    (task,) = store.latest(Lane.RUNS, kind="grade")
    assert (task.config["run"], task.config["data"]) == (run.id, "digits")
    assert "grade-cancel-A" in [one.key for one in page.button]
    store.heartbeats.beat("worker", "worker", (Lane.RUNS,), "cpu")
    claimed = store.claim(Lane.RUNS, "worker", "cpu")
    store.finish(claimed, State.FAILED, error="The data lacks the same.")
    page.run()
    assert "Grading the run did not work out: The data lacks the same." in texts(page)


@pytest.mark.slow
def test_retrain_is_not_known_of_a_run_that_was_graded_with_other_data(
    open_page, finish, run_config, make_record, write_arrays
):
    result = make_record() | {"graded_with": "digits"}
    job = finish("unlearn", run_config | {"forget": [5]}, answer=result)
    write_arrays(job.folder, result)
    said = texts(open_page("5_Results.py", job))
    assert "what was brought to grade with only grades." in said
    assert "this data has none" not in said


@pytest.mark.slow
def test_the_forget_page_draws_estimates_by_epoch(open_page, run, looked):
    page = open_page("2_Forget.py", run)
    assert WHY in texts(page)
    assert any(words.startswith("Estimates by epoch.") for words in alts(page))
    assert not any(words.startswith("Accuracy by epoch") for words in alts(page))
    assert "The data has no test images, so accuracy by epoch is not graded." in texts(page)
    assert [metric.value for metric in page.metric] == ["1.0 %", "97.5 %"]


@pytest.mark.slow
def test_the_form_offers_what_the_data_has(open_page, looked, store):
    page = open_page("2_Forget.py")
    boxes = {box.label: box for box in page.checkbox if box.label.isdecimal()}
    assert [label for label, box in boxes.items() if not box.disabled] == ["3"]
    assert "The data has no images of the classes in grey" in texts(page)
    boxes["3"].check().run()
    next(number for number in page.number_input if number.key == "hold-out").set_value(20).run()
    button(page, "Forget").click().run()
    (job,) = store.latest(kind="unlearn")
    assert (job.config["forget"], job.config["hold_out"]) == ([3], 20)


@pytest.mark.slow
def test_a_method_that_needs_the_rest_is_refused_with_the_reason(open_page, looked):
    page = open_page("2_Forget.py")
    next(box for box in page.checkbox if box.label == "3").check().run()
    next(box for box in page.selectbox if box.key == "method").set_value("retrain").run()
    assert button(page, "Forget").disabled
    why = (
        "Retrain needs training images of every remaining class, and the data has none of 0, 1, 2, 4, 5, 6 and others."
    )
    assert why in texts(page)


@pytest.mark.slow
def test_a_comparison_says_which_tick_must_go(open_page, looked, overview):
    overview.query_params["compare"] = "new"
    page = open_page("6_Compare.py")
    next(box for box in page.checkbox if box.label == "3").check().run()
    assert "Take its tick away." in texts(page)


@pytest.mark.slow
def test_lists_say_that_a_run_is_not_graded(open_page, run, overview):
    assert "not graded · forget images 1.0 %" in texts(overview.run())
    page = open_page("7_Runs.py", run)
    assert "1 run; none of them is graded." in texts(page)
    assert "Not graded · forget images 1.0 %, an estimate." in texts(page)


def test_a_map_without_remaining_images_says_so(open_page, graded, make_record):
    changes = {"lacks": ["retain_train", "retain_test", "forget_test"], "subspace": {"layers": [
        {"name": "head", "dim": 64, "rank": 9, "captured": None, "captured_proxy": 96.0}]}}  # fmt: skip
    page = open_page("3_Proxies.py", graded(map_kinds=("pca", "umap"), **changes))
    assert "the only real images are those to forget" in texts(page)
    assert "kNN agreement needs test images of the remaining classes, and the data has none." in texts(page)
    assert "of the proxies' own" in texts(page)
