from __future__ import annotations

from ui.figures.dumbbell import LEAST_BAND, Mark, standing
from ui.figures.palette import FORGOTTEN, REFERENCE, REMAINING

MARKS = [
    Mark("Kept", "higher", 98.0, 97.0, mask=98.5, band=(96.0, 99.0), remaining=True),
    Mark("Gone", "0", 95.0, 0.0, band=(0.0, 0.0)),
    Mark("Stopped", "0", 95.0, None),
]


def traces(drawn, name):
    return [trace for trace in drawn.figure.data if trace.name == name]


def test_before_after_and_mask_are_points_in_the_colours_of_their_classes():
    drawn = standing(MARKS)
    (before, _), (after, _), (mask, _) = (traces(drawn, name) for name in ("before", "after", "mask"))
    assert list(before.x) == [98.0, 95.0, 95.0]
    assert list(after.x) == [97.0, 0.0], "nothing after for a run that was stopped"
    assert list(after.marker.color) == [REMAINING, FORGOTTEN]
    assert before.marker.line.dash == "dot"
    assert list(mask.x) == [98.5]


def test_the_legend_is_grey_for_colours_tell_the_classes():
    for kind in ("before", "after", "mask"):
        points, entry = traces(standing(MARKS), kind)
        assert (points.showlegend, entry.showlegend) == (False, None)
        assert points.legendgroup == entry.legendgroup == kind, "pressing the entry hides the points"
        painted = entry.marker.line.color if kind == "before" else entry.marker.color
        assert painted in (REFERENCE, (REFERENCE,))
    assert len(traces(standing(MARKS[2:]), "after")) == 1, "no entry without points"


def test_retrain_is_a_band_that_can_be_seen():
    (band,) = traces(standing(MARKS), "Retrain")
    assert (band.base[0], band.x[0]) == (96.0, 3.0)
    assert (band.base[1], band.x[1]) == (-LEAST_BAND / 2, LEAST_BAND)
    assert list(band.hovertext) == ["Retrain 96.0 to 99.0 %", "Retrain 0.0 %"]


def test_figures_are_said_in_words():
    assert standing(MARKS).alt == (
        "Figures on one scale in percent. Kept 98.0 before, 97.0 after, Retrain 97.5; "
        "Gone 95.0 before, 0.0 after, Retrain 0.0; Stopped 95.0 before, unknown after."
    )


def test_nothing_at_all_is_still_a_figure():
    assert standing([]).rows == []
