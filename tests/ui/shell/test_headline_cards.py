from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from ui.shell.headline_cards import change_words, colour_of, measure_card
from zspag_core.metrics.catalogue import ACC_RT, ACC_UT, ENTROPY


def script():
    from ui.shell.headline_cards import Card, draw_cards

    draw_cards([Card(f"card {k}", f"{k} %", f"note {k}", change) for k, change in enumerate(("+1 points", "", "x"))], 2)


def test_cards_stand_in_rows_with_value_change_and_note():
    page = AppTest.from_function(script).run()
    assert [(metric.label, metric.value) for metric in page.metric] == [(f"card {k}", f"{k} %") for k in range(3)]
    assert [caption.value for caption in page.caption] == ["note 0", "note 1", "note 2"]
    assert len(page.columns) == 4, "two rows of two, the last place empty"


@pytest.mark.parametrize(
    ("then", "now", "words"),
    [
        (None, 3.0, ""),
        (3.0, None, ""),
        (3.0, 3.04, "unchanged"),
        (3.0, 5.0, "+2.0 points"),
        (5.0, 3.0, "−2.0 points"),
    ],
)
def test_a_change_is_in_points(then, now, words):
    assert change_words(then, now) == words


def test_colours_say_which_way_is_good():
    assert [colour_of(change, ACC_RT) for change in ("+1.0 points", "−1.0 points", "unchanged")] == [
        "green",
        "red",
        "off",
    ]
    assert [colour_of(change, ACC_UT) for change in ("+1.0 points", "−1.0 points")] == ["red", "green"]
    assert colour_of("+1.0 points", ENTROPY) == "off", "near is good"


def test_card_of_a_measure_is_read_from_both_records():
    card = measure_card(ACC_UT, {"acc_ut": 98.0}, {"acc_ut": 0.0}, "The goal is 0 %.")
    assert (card.title, card.colour) == (ACC_UT.name, "green")
    assert card.change.startswith("−98.0")
    assert ACC_UT.definition in card.help
    assert measure_card(ACC_UT, {}, {}, "").value == "–"
