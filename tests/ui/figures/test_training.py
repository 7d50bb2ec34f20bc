from __future__ import annotations

import pytest

from ui.figures.palette import FORGOTTEN, REMAINING
from ui.figures.training import accuracy_figure, describe_accuracy, describe_loss, loss_figure, planned_epochs

EPOCHS = [
    {"epoch": 0, "acc_rt": 99.0, "acc_ut": 98.0},
    {"epoch": 1, "acc_rt": 98.5, "acc_ut": 30.0, "loss": 2.0, "mia": 42.0},
    {"epoch": 2, "acc_rt": 98.7, "acc_ut": None, "loss": 1.0},
]


def test_accuracy_lines_carry_the_two_colours_and_skip_gaps():
    remaining, forgotten = accuracy_figure(EPOCHS, 5).data
    assert (list(remaining.x), list(remaining.y)) == ([0, 1, 2], [99.0, 98.5, 98.7])
    assert (list(forgotten.x), list(forgotten.y)) == ([0, 1], [98.0, 30.0])
    assert (remaining.line.color, forgotten.line.color) == (REMAINING, FORGOTTEN)


def test_axis_shows_all_epochs_from_the_start():
    assert accuracy_figure(EPOCHS, 5).layout.xaxis.range == pytest.approx((-0.2, 5.2))
    assert accuracy_figure(EPOCHS, 5).layout.yaxis.range == (-3, 116)


def test_references_are_drawn_dashed_and_the_mask_dotted():
    figure = accuracy_figure(EPOCHS, 2, mask=99.3)
    assert [(shape.y0, shape.line.dash) for shape in figure.layout.shapes] == [
        (99.0, "dash"),
        (98.0, "dash"),
        (99.3, "dot"),
    ]
    assert [note.text for note in figure.layout.annotations] == ["mask"]


def test_chart_without_epochs_says_when_it_starts():
    for figure in (accuracy_figure([], 3), loss_figure([], 3)):
        assert "the line starts with the first epoch" in [note.text for note in figure.layout.annotations]
        assert (figure.layout.xaxis.showgrid, figure.layout.yaxis.showgrid) == (False, False), (
            "no line through the words"
        )
    assert accuracy_figure(EPOCHS, 2).layout.yaxis.showgrid is None


def test_loss_and_membership_have_a_picture_each_above_the_same_epochs():
    figure = loss_figure(EPOCHS, 5)
    loss, membership = figure.data
    assert (list(loss.x), list(loss.y)) == ([1, 2], [2.0, 1.0])
    assert (list(membership.x), list(membership.y)) == ([1], [42.0])
    assert figure.layout.xaxis.range == figure.layout.xaxis2.range
    assert figure.layout.yaxis2.range[0] < 42.0


@pytest.mark.parametrize(("mia", "anchor"), [(42.0, "bottom"), (57.0, "top")])
def test_words_on_the_coin_toss_stand_where_the_line_does_not_end(mia, anchor):
    words = {note.text: note for note in loss_figure([EPOCHS[0] | {"mia": mia}], 5).layout.annotations}
    assert words["a coin toss"].yanchor == anchor


@pytest.mark.parametrize(
    ("asked", "active", "epochs"), [(9, True, 9), (None, True, 6), (None, False, 2), (9, False, 2)]
)
def test_axis_is_as_long_as_the_plan_and_then_as_what_was_made(asked, active, epochs):
    rows = [*EPOCHS[:2], EPOCHS[2] | {"total": 6}]
    assert planned_epochs(rows, asked, active=active) == epochs


def test_axis_has_a_length_before_anything_is_known():
    assert planned_epochs([], None, active=True) == 1


def test_charts_are_described_in_words():
    assert describe_accuracy(EPOCHS) == (
        "Accuracy by epoch. After epoch 2: remaining classes 98.7 percent, forgotten classes unknown."
    )
    assert (
        describe_loss(EPOCHS) == "Loss by epoch, from 2 to 1. The same-class membership attack is right in 42 percent."
    )
    assert describe_accuracy([]).endswith("no epoch has ended yet.")
    assert describe_loss([]).endswith("no epoch has ended yet.")
