from __future__ import annotations

import numpy as np

from ui.figures.classes import accuracy_by_class, predictions
from ui.figures.palette import FORGOTTEN, REMAINING

NAMES = ("ant", "bee", "cat")
BEFORE, AFTER = [90.0, 80.0, None], [91.0, 0.0, None]
MATRIX = np.array([[90.0, 10.0, 0.0], [0.0, 100.0, 0.0], [np.nan] * 3])
GONE = np.array([[100.0, 0.0, 0.0], [70.0, 0.0, 30.0], [np.nan] * 3])


def test_bars_after_are_solid_and_before_is_a_dashed_outline():
    remaining, forgotten, before = accuracy_by_class(BEFORE, AFTER, NAMES, [1], [0, 1, 2]).figure.data
    assert (list(remaining.x), list(remaining.y), remaining.marker.color) == ([0, 2], [91.0, None], REMAINING)
    assert (list(forgotten.x), list(forgotten.y), forgotten.marker.color) == ([1], [0.0], FORGOTTEN)
    assert before.line.dash == "dash"
    assert list(before.y) == [0.0, 90.0, 90.0, 0.0, None, 0.0, 80.0, 80.0, 0.0, None], "class without images: no box"


def test_stopped_run_has_outlines_only():
    drawn = accuracy_by_class(BEFORE, None, NAMES, [1], [0, 1, 2])
    assert [trace.name for trace in drawn.figure.data] == ["before"]
    assert drawn.rows[1] == {
        "class": 1, "name": "bee", "forgotten": True, "before_percent": 80.0, "after_percent": None
    }  # fmt: skip


def test_what_is_not_drawn_is_said_and_still_in_the_rows():
    drawn = accuracy_by_class(BEFORE, AFTER, NAMES, [1], [1, 2])
    assert drawn.note == "The forgotten classes and those that changed most, 2 of 3."
    assert len(drawn.rows) == 3
    assert list(drawn.figure.layout.xaxis.ticktext) == [
        f'<span style="color:{FORGOTTEN}"><b>bee</b></span>', "cat"
    ]  # fmt: skip


def test_matrices_share_one_scale_and_name_the_pairs():
    drawn = predictions({"before": MATRIX, "after": GONE}, NAMES, [1], [0, 1, 2], stacked=False)
    before, after = drawn.figure.data
    assert before.coloraxis == after.coloraxis == "coloraxis"
    assert (drawn.figure.layout.coloraxis.cmin, drawn.figure.layout.coloraxis.cmax) == (0, 100)
    assert after.z[1][0] == 70.0
    assert after.z[2][0] is None
    assert after.text[1][0] == "70"
    assert after.customdata[1][0][0] == "bee"
    assert drawn.alt.endswith("After: bee is most often read as ant (70 percent).")
    assert {"class": "bee", "read_as": "cat", "before_percent": 0.0, "after_percent": 30.0} in drawn.rows
    assert not any(row["class"] == "cat" for row in drawn.rows)


def test_stacked_matrices_stand_one_under_the_other():
    drawn = predictions({"before": MATRIX, "after": GONE}, NAMES, [1], [0, 1], stacked=True)
    assert drawn.figure.data[0].xaxis != drawn.figure.data[1].xaxis
    domains = [drawn.figure.layout.xaxis.domain, drawn.figure.layout.xaxis2.domain]
    assert domains[0] == domains[1]
    assert "2 of 3" in drawn.note


def test_cells_of_many_classes_hold_no_numbers():
    count = 15
    drawn = predictions({"before": 100 * np.eye(count)}, [str(k) for k in range(count)], [1], list(range(count)),
                        stacked=False)  # fmt: skip
    assert drawn.figure.data[0].text is None
