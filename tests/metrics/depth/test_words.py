from __future__ import annotations

import subprocess
import sys

from zspag_core.metrics.depth.words import CLOSE, NO_REFERENCES, depth_lines, lacks_references, whole_rows

FIGURES = {"probe": [90.0, None], "knn": [80.0, 70.0], "bits": [0.5, 0.25]}
FIGURES["prototypes"] = {"1": {"forget": 40.0, "rest": 90.0}, "5": {"forget": 60.0, "rest": 90.0}}
DEPTH = {
    "stages": ["stage 1", "stage 2"],
    "models": {"original": FIGURES, "unlearned": FIGURES, "retrained": FIGURES},
    "cka": {"original_unlearned": {"forget": [1.0, 0.5], "rest": [1.0, None]}},
    "left": {"probe": 99.6, "knn": None, "bits": 40.0},
    "worst": {"measure": "bits", "stage": "stage 2", "share": 120.4},
}


def test_every_figure_is_said():
    said = depth_lines(DEPTH)
    assert said[0] == "stages, from input to output: stage 1, stage 2"
    assert "Probe, stage by stage, unlearned: 90.0, undefined %" in said
    assert "Linear-probe bits, stage by stage, retrained: 0.50, 0.25 bits" in said
    assert "CKA of original and unlearned, rest images: 1.00, undefined" in said
    assert "left of Probe, stage by stage, mean over stages (0 as Retrain, 100 as the original): 100 %" in said
    ends = "mean over stages (0 as Retrain, 100 as the original)"
    assert f"left of Nearest neighbours, stage by stage, {ends}: {CLOSE}" in said
    assert said[-1] == "most is left of Linear-probe bits, stage by stage at stage 2: 120 %"


def test_a_worst_case_of_the_whole_model_names_no_stage():
    said = depth_lines(DEPTH | {"worst": {"measure": "prototypes_5", "stage": "", "share": 80.0}})
    assert said[-1] == "most is left of prototypes_5: 80 %"
    assert not any(line.startswith("most") for line in depth_lines(DEPTH | {"worst": None}))


def test_without_retrain_it_says_what_is_missing():
    assert "--retrained" in depth_lines(DEPTH | {"left": None, "worst": None})[-1]


def test_figures_of_the_whole_model_stand_in_rows():
    late = {"kept": {"steps": 500, "reached": False, "acc_rt": 9.0}, "rates": {"0.1": None, "1": 3.0}}
    models = {"original": FIGURES, "unlearned": FIGURES | late | {"class_attack": 62.5, "over_unlearning": None}}
    depth = DEPTH | {"models": models, "idi": 0.5}
    assert whole_rows(depth) == [
        ("Prototypical relearning, 1 image", ("40.0 %", "40.0 %", "")),
        ("Prototypical relearning, 5 images", ("60.0 %", "60.0 %", "")),
        ("Relearning with the rest kept", ("", "over 500 steps", "")),
        ("Class membership · CMIA, AUC", ("", "62.5 %", "")),
        ("Membership · found at 1 % false alarms", ("", "3.0 %", "")),
    ]
    said = depth_lines(depth)
    assert "Relearning with the rest kept: unlearned over 500 steps" in said
    assert "IDI (0 as Retrain, 1 as the original): 0.50" in said


def test_missing_references_are_said_where_they_were_looked_for():
    assert not lacks_references(DEPTH)
    assert not any("references" in line for line in depth_lines(DEPTH))
    said = depth_lines(DEPTH | {"references": None})
    assert any(line.startswith(NO_REFERENCES) for line in said)


def test_what_references_tell_stands_in_rows():
    part = {"u_lira": {"auc": 51.25, "auc_ci": [41.0, 61.0], "found": None}}
    models = {"original": FIGURES | part, "unlearned": FIGURES | {"u_lira": None}}
    depth = DEPTH | {"models": models, "references": {"count": 16, "reach": 51.25}}
    title = "Membership against references · U-LiRA, AUC"
    assert whole_rows(depth)[-1] == (title, ("51.2 % (41 to 61)", "", ""))
    assert not lacks_references(depth)
    assert "Membership against references, every reference asked by the others: 51.2 %" in depth_lines(depth)


def test_words_load_no_torch():
    program = "import sys, zspag_core.metrics.depth.words; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_rebuilt_heads_stand_by_how_many_images_they_had_whatever_order_the_record_is_in():
    shots = {key: {"forget": 50.0} for key in ("1", "20", "5")}
    rows = whole_rows(DEPTH | {"models": {"original": {"prototypes": shots}}})
    assert [title.rpartition(", ")[2] for title, _ in rows] == ["1 image", "5 images", "20 images"]
