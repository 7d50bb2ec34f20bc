from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from tests.records import record
from ui.shell.formatting import find
from zspag_core.groups import GROUPS
from zspag_core.metrics.catalogue import (
    CONFIDENCE,
    DEPTH,
    ESTIMATES,
    FORGOTTEN_UP_TO,
    GRADED,
    MEASURES,
    MOSTLY_FORGOTTEN_UP_TO,
    RELEARNING,
    REST_BY_THEN,
    SAME_CLASS,
    how_forgotten,
    is_forgotten,
)
from zspag_core.metrics.deep import Relearning
from zspag_core.reproduce.comparison import Outcome
from zspag_core.reproduce.markdown import COLUMNS

NOT_OF_ONE_MODEL = {"lead", "attack", "asr", "seconds"}


def holds(part, path):
    """Tell whether a record has a path, be its value None."""
    for name in path:
        if name not in part:
            return False
        part = part[name]
    return True


def test_the_catalogue_loads_no_torch():
    program = "import sys, zspag_core.metrics.catalogue; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("measure", [*GRADED, RELEARNING], ids=lambda measure: measure.key)
def test_every_path_leads_to_a_figure_of_a_record(measure):
    result = record()
    assert holds(result["before"], measure.path)
    assert holds(result["after"], measure.path)


def test_what_is_left_by_the_time_of_relearning_has_its_path():
    part = {"relearning": Relearning(steps=3, reached=True, acc_rt=40.0).to_dict()}
    assert find(part, REST_BY_THEN.path) == 40.0


def test_only_what_is_of_one_model_has_a_path():
    assert {measure.key for measure in MEASURES if not measure.path} == NOT_OF_ONE_MODEL


@pytest.mark.parametrize("estimates", [record(only_forget=True)["estimates"]])
def test_every_estimate_stands_in_a_record(estimates):
    assert all(holds(estimates, (estimate.key, "before")) for estimate in ESTIMATES)


@pytest.mark.parametrize("attribute", ["key", "title", "name", "printed"])
def test_no_two_measures_are_called_the_same(attribute):
    values = [getattr(measure, attribute) for measure in (*MEASURES, *DEPTH)]
    assert len(set(values)) == len(values)


@pytest.mark.parametrize("measure", [*MEASURES, *DEPTH], ids=lambda measure: measure.key)
def test_a_measure_says_all_that_a_reader_needs(measure):
    assert measure.definition.endswith(".")
    assert ". " not in measure.definition, "more than one sentence"
    assert all((measure.title, measure.name, measure.short, measure.printed, measure.good, measure.source))
    assert set(measure.needs) <= set(GROUPS)


@pytest.mark.parametrize("measure", [*COLUMNS, CONFIDENCE, SAME_CLASS], ids=lambda measure: measure.key)
def test_an_outcome_of_a_comparison_has_the_figure(measure):
    mia = {"entropy_svc": 1.0, "confidence_svc": 1.0, "same_class": {"accuracy": 1.0, "auc": 1.0}}
    about = dict.fromkeys(("probe", "seconds", "rest_by_then", "attack", "asr"), 1.0)
    depth = {"mean": {"probe": 1.0, "bits": 1.0}, "prototypes": {"5": {"forget": 1.0}}}
    outcome = Outcome(seed=0, acc_rt=1.0, acc_ut=1.0, mia=mia, relearning=1, depth=depth, **about)
    assert outcome.value(measure.key) == 1.0


def test_titles_of_axes_and_columns_carry_the_unit():
    acc_rt = MEASURES[0]
    assert acc_rt.axis == "remaining accuracy · Acc_rt, %"
    assert acc_rt.column == "Acc_rt, %"
    assert replace(acc_rt, unit="points").column == "Acc_rt, points"


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (0.0, "forgotten"),
        (FORGOTTEN_UP_TO, "forgotten"),
        (FORGOTTEN_UP_TO + 0.01, "mostly forgotten"),
        (MOSTLY_FORGOTTEN_UP_TO, "mostly forgotten"),
        (MOSTLY_FORGOTTEN_UP_TO + 0.01, "not forgotten"),
    ],
)
def test_forgotten_means_one_thing(left, words):
    assert how_forgotten(left) == words
    assert is_forgotten(left) == (words == "forgotten")
