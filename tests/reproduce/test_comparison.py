from __future__ import annotations

import json
import math
from dataclasses import fields, replace

import pytest

from zspag_core.errors import DataError
from zspag_core.reproduce.comparison import Comparison, Outcome, Row, mean_and_deviation
from zspag_core.shipped import ASSETS

MIA = {
    "entropy_svc": 40.0,
    "confidence_svc": None,
    "same_class": {"accuracy": 50.0, "auc": 51.0, "auc_ci": [49.0, 53.0]},
}


def example():
    outcomes = [
        Outcome(seed=0, acc_rt=86.0, acc_ut=1.0, mia=MIA, probe=60.0, relearning=12, seconds=3.0, stopped="rule"),
        Outcome(seed=1, acc_rt=88.0, acc_ut=None, stopped="failed", error="the loss became NaN"),
    ]
    rows = [
        Row(key="original", label="Original", method=None, needs_retain=False, kind="reference"),
        Row(
            key="zspag",
            label="ZS-PAG",
            method="zspag",
            needs_retain=False,
            settings={"epsilon": 0.1},
            paper={"acc_rt": 85.47, "acc_ut": 1.40},
            seeds=outcomes,
        ),
    ]
    return Comparison(
        name="table1-digits",
        title="Digits",
        question="Which method forgets best?",
        data="digits",
        model="resnet_tiny",
        test_accuracy=98.0,
        forget=[3],
        class_names=[str(k) for k in range(10)],
        scale="small",
        device="cpu",
        date="2026-01-31",
        forget_images=100,
        retain_images=900,
        rows=rows,
        notes=["one note"],
    )


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "some" / "table1-digits.json"
    example().write(path)
    assert Comparison.read(path) == example()
    record = json.loads(path.read_text())
    assert record["version"] == 1
    assert record["rows"][1]["paper"] == {"acc_rt": 85.47, "acc_ut": 1.40}
    assert record["rows"][1]["seeds"][0]["mia"] == MIA


def test_a_figure_is_found_by_name_and_averaged_over_seeds():
    row = example().row("zspag")
    assert row.mean_and_deviation("acc_rt") == (87.0, pytest.approx(math.sqrt(2)))
    assert row.mean_and_deviation("acc_ut") == (1.0, None)
    assert row.mean_and_deviation("mia.same_class.auc") == (51.0, None)
    assert row.mean_and_deviation("mia.confidence_svc") is None
    assert example().row("magic") is None


DEPTH = {"stages": ["one"], "probe": [40.0], "mean": {"probe": 40.0}, "prototypes": {"5": {"forget": 0.0}}}


def test_depth_is_a_part_that_a_record_may_lack(tmp_path):
    plain, path = example(), tmp_path / "deep.json"
    assert not plain.knows_depth
    assert all("depth" not in seed for row in plain.to_dict()["rows"] for seed in row["seeds"])
    row = plain.row("zspag")
    known = replace(plain, rows=[replace(row, seeds=[replace(row.seeds[0], depth=DEPTH), row.seeds[1]])])
    known.write(path)
    found = Comparison.read(path)
    assert found == known
    assert found.knows_depth
    (row,) = found.rows
    assert row.mean_and_deviation("depth.mean.probe") == (40.0, None)
    assert row.mean_and_deviation("depth.prototypes.5.forget") == (0.0, None)
    assert row.mean_and_deviation("depth.mean.bits") is None
    assert [set(seed) for seed in json.loads(path.read_text())["rows"][0]["seeds"]] == [
        {field.name for field in fields(Outcome)},
        {field.name for field in fields(Outcome)} - {"depth"},
    ]


@pytest.mark.parametrize("path", sorted((ASSETS / "comparisons").glob("*.json")), ids=lambda path: path.stem)
def test_a_comparison_that_ships_is_written_as_it_was(path, tmp_path):
    Comparison.read(path).write(tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text()) == json.loads(path.read_text())


def test_mean_and_deviation_leave_out_what_is_undefined():
    assert mean_and_deviation((1.0, None, 3.0)) == (2.0, pytest.approx(math.sqrt(2)))
    assert mean_and_deviation((2.0,)) == (2.0, None)
    assert mean_and_deviation((None,)) is None


def test_figures_that_json_cannot_say_become_null(tmp_path):
    row = Row(key="a", label="A", method=None, needs_retain=False, seeds=[Outcome(seed=0, acc_rt=math.nan, acc_ut=0.0)])
    record = {**example().to_dict(), "rows": [vars(row) | {"seeds": [vars(row.seeds[0])]}]}
    path = tmp_path / "a.json"
    Comparison.from_dict(record).write(path)
    assert Comparison.read(path).rows[0].seeds[0].acc_rt is None


@pytest.mark.parametrize(
    ("change", "culprit"),
    [
        ({"version": 2}, "version 1, got 2"),
        ({"rows": None}, "rows: expected a list"),
        ({"rows": [1]}, "rows: expected names"),
        ({"rows": [{"key": "a", "kind": "magic", "seeds": []}]}, "kind: expected one of reference"),
        ({"rows": [{"key": "a", "seeds": [{"seed": 0}]}]}, "outcome: expected a value for"),
        ({"rows": [{"key": "a", "seeds": []}]}, "row: expected a value for"),
    ],
)
def test_what_is_no_comparison_is_refused_in_one_sentence(tmp_path, change, culprit):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(example().to_dict() | change))
    with pytest.raises(DataError, match=culprit) as refusal:
        Comparison.read(path)
    assert str(refusal.value).startswith("a.json: ")


@pytest.mark.parametrize("text", ["", "[1", '"a"', "{}"])
def test_a_broken_file_is_refused(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"a\.json"):
        Comparison.read(path)
