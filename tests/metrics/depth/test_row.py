from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.metrics.depth.constructed import FORGOTTEN, Patches, patches_data
from zspag_core.metrics.catalogue import IN_COMPARISONS
from zspag_core.metrics.depth.measure import measure_quickly
from zspag_core.metrics.depth.row import row_depth
from zspag_core.reproduce.comparison import Outcome


def test_a_row_keeps_one_models_stages_and_their_means():
    """A network that is blind from its last stage on: the mean of three stages lies between, by hand."""
    models = {"original": Patches(), "unlearned": Patches(3)}
    found = measure_quickly(models, patches_data(each=40), [FORGOTTEN], seed=0)
    depth = row_depth(found, "unlearned")
    assert json.loads(json.dumps(depth)) == depth
    assert depth["stages"] == ["stage 1", "stage 2", "stage 3"]
    for key in ("probe", "knn", "bits"):
        first, second, third = depth[key]
        assert third < first == pytest.approx(second, abs=0.1)
        assert depth["mean"][key] == pytest.approx((first + second + third) / 3)
    assert row_depth(found, "original")["mean"]["probe"] == 100.0
    outcome = Outcome(seed=0, acc_rt=1.0, acc_ut=0.0, depth=depth)
    assert [outcome.value(measure.key) for measure in IN_COMPARISONS] == [
        depth["mean"]["probe"],
        depth["mean"]["bits"],
        found["models"]["unlearned"]["prototypes"]["5"]["forget"],
    ]


def test_a_stage_without_a_figure_leaves_no_mean():
    part = {"probe": [50.0, 70.0], "knn": [0.0, 0.0], "bits": [0.5, None], "prototypes": {}}
    part |= {"probe_rest": [1.0, 2.0], "knn_rest": [1.0, 2.0]}
    depth = row_depth({"stages": ["a", "b"], "models": {"original": part}}, "original")
    assert depth["mean"] == {"probe": 60.0, "knn": 0.0, "bits": None}
    outcome = Outcome(seed=0, acc_rt=1.0, acc_ut=0.0, depth=depth)
    assert [outcome.value(measure.key) for measure in IN_COMPARISONS] == [60.0, None, None]


def test_pages_read_it_without_torch():
    program = "import sys, zspag_core.metrics.depth.row; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
