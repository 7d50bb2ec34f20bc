from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ui.runs.table import Filters, row_of, settings_text, summary, table
from ui.shell.formatting import page_of
from zspag_core.jobs import Command, Job, State

RESULT = {"after": {"acc_rt": 99.4, "acc_ut": 0.5, "probe": 95.0}, "mask": {"acc_rt": 99.0}}
CONFIG = {
    "data": "digits",
    "checkpoint": "/home/me/digits_resnet.safetensors",
    "forget": [3],
    "class_names": ["three"],
    "method": "zspag",
    "settings": {"epsilon": 8 / 255, "attack": "pgd"},
    "seed": 4,
}


def job(state=State.DONE, answer=RESULT, **changed):
    made = Job(
        id="abc",
        number=7,
        kind="unlearn",
        lane="runs",
        config=CONFIG,
        device="auto",
        state=state,
        command=Command.NONE,
        worker="w",
        created=1_700_000_000.0,
        started=1_700_000_001.0,
        finished=1_700_000_013.0,
        progress={},
        answer=answer,
        error="",
        details="",
        folder=Path("folder"),
    )
    return replace(made, **changed)


def test_a_row_holds_configuration_and_figures():
    row = row_of(job(title="First"))
    assert (row.forgets, row.method, row.model, row.data, row.state) == (
        "three",
        "ZS-PAG",
        "digits_resnet",
        "digits",
        "Done",
    )
    assert (row.acc_rt, row.acc_ut, row.probe) == (99.4, 0.5, 95.0)
    assert row.lead == pytest.approx(0.4)
    assert row.line == "Run 7, First, forget three, ZS-PAG (attack PGD, ε 8/255)"
    assert row.settings == "attack=pgd epsilon=0.03137 seed=4"


@pytest.mark.parametrize(
    ("state", "error", "said"),
    [
        (State.FAILED, "the loss became nan", ("Failed", "the loss became nan")),
        (State.CANCELLED, "", ("Cancelled", "stopped on request")),
        (State.INTERRUPTED, "", ("Interrupted", "its worker went away")),
        (State.RUNNING, "", ("Running", "")),
    ],
)
def test_a_run_that_ended_early_says_why_and_has_no_figures(state, error, said):
    row = row_of(job(state, None, error=error))
    assert (row.state, row.reason) == said
    assert (row.acc_rt, row.lead, row.acc_ut, row.probe) == (None, None, None, None)


def test_a_run_with_hardly_any_configuration_has_a_row():
    row = row_of(job(State.FAILED, None, config={}))
    assert (row.forgets, row.model, row.method) == ("", "", "ZS-PAG")
    assert settings_text({}) == "seed=0"


@pytest.mark.parametrize(
    ("filters", "stays"),
    [
        (Filters(), True),
        (Filters("three PGD"), True),
        (Filters("three fgsm"), False),
        (Filters("expected"), True),
        (Filters(data=("digits",)), True),
        (Filters(data=("cifar10",)), False),
        (Filters(methods=("Mask", "ZS-PAG")), True),
        (Filters(methods=("Mask",)), False),
        (Filters(states=("done",)), True),
        (Filters(states=("failed",)), False),
        (Filters("three", ("digits",), ("ZS-PAG",), ("failed",)), False),
    ],
    ids=str,
)
def test_filters_narrow_the_list_down(filters, stays):
    assert filters.lets(row_of(job(note="As expected"))) is stays


def test_table_has_a_column_for_letters_only_where_there_are_some():
    rows = [row_of(job())]
    assert table(rows, {"abc": "A"})[""] == ["A"]
    columns = table(rows, {})
    assert "" not in columns
    assert columns["Link"] == ["/Results?job=abc"]
    assert columns["Took"] == ["12 s"]
    assert columns["Asked for"][0].tzinfo is not None
    assert {len(column) for column in columns.values()} == {1}


def test_a_run_opens_where_there_is_something_to_see():
    assert page_of(job()) == "Results"
    assert page_of(job(State.FAILED, None)) == "Forget"


def test_summary_counts_and_names_the_best():
    good, bad = row_of(job()), row_of(job(State.FAILED, None))
    assert summary([good], [good]) == "1 run; of the methods that forget, most is kept by run 7: Acc_rt 99.4 %."
    assert summary([good, bad], [bad]) == "1 of 2 runs; none of them has come to its end."


def test_a_reference_or_a_run_that_did_not_forget_is_not_the_best():
    mask = row_of(job(config=CONFIG | {"method": "mask"}))
    failed = row_of(job(answer=RESULT | {"after": RESULT["after"] | {"acc_ut": 80.0}}))
    said = "2 runs; no method has brought Acc_ut to 5.0 % or less."
    assert summary([mask, failed], [mask, failed]) == said
