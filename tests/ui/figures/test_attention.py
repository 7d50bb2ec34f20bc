from __future__ import annotations

import re

import numpy as np
import pytest

from ui.figures.attention import (
    Side,
    alike,
    attention_table,
    grown_note,
    probability,
    scale_bars,
    scale_of,
    similarity_table,
)
from ui.figures.pictures import data_url

NAMES = ["cat", "dog", "<i>owl"]
PICTURE = data_url(np.zeros((3, 8, 8), np.uint8), 8)


def image(index=7, label=0, before=((0, 1), (2, 4)), after=((0, 0), (0, 0)), read=2):
    return {
        "index": index,
        "label": label,
        "picture": PICTURE,
        "own": {"before": 0.98, "after": 0.0002},
        "predicted": {"before": [label, 0.98], "after": [read, 0.7]},
        "map_before": [list(row) for row in before],
        "map_after": [list(row) for row in after],
    }


def side(*images, letter="", **changes):
    answer = {"images": list(images), "similarity": {"remaining": 0.934, "forgotten": None}}
    return Side(letter, answer | {"empty": {"remaining": 0.0, "forgotten": 40.0}} | changes, NAMES, [0])


def test_scale_is_the_largest_evidence_of_all_runs():
    other = side(image(after=((0, 9), (0, 0))), letter="B")
    assert scale_of([side(image()), other]) == 9
    assert scale_of([side()]) == 0


def test_likeness_is_the_correlation():
    assert alike(image(after=((0, 2), (4, 8)))) == pytest.approx(1)
    assert alike(image(before=((1, 0), (0, 0)), after=((0, 0), (0, 1)))) == pytest.approx(-1 / 3)
    assert alike(image()) is None, "an empty map is like nothing"
    assert alike(image(before=((5, 5), (5, 5)), after=((0, 1), (2, 3)))) is None


def test_table_has_a_row_an_image_and_a_column_a_picture():
    text = attention_table([side(image(7), image(9, label=1))], "own", 4)
    assert re.findall(r"<th>(.*?)</th>", text) == ["Image", "before", "after", "difference"]
    assert text.count("<tr>") == 3
    assert text.count("<img") == 8
    alts = re.findall('alt="([^"]*)"', text)
    assert alts[:2] == ["Test image 7 of class cat", "Attention before on test image 7 for class cat, most evidence 4"]
    assert '<b class="zs-forgotten">cat</b> · forgotten' in text
    assert '<b class="zs-remaining">dog</b> · remaining' in text


def test_own_and_predicted_label_change_places():
    own = attention_table([side(image())], "own", 4)
    assert "<b>own label cat: &lt; 0.1 %</b><br><span>reads &lt;i&gt;owl: 70.0 %</span>" in own
    assert "for class cat, most evidence 0" in own
    predicted = attention_table([side(image())], "predicted", 4)
    assert "<b>reads &lt;i&gt;owl: 70.0 %</b>" in predicted
    assert "for class &lt;i&gt;owl, most" in predicted
    assert "<i>owl" not in predicted


def test_empty_maps_are_said_to_be_empty():
    text = attention_table([side(image())], "own", 4)
    assert text.count("nearly empty") == 1
    assert "one map is flat: no likeness" in text
    assert "evidence 0.0 % of before" in text
    assert "nearly empty" not in attention_table([side(image(after=((0, 0), (0, 0.1))))], "own", 4)
    assert attention_table([side(image(before=((0, 0), (0, 0))))], "own", 0).count("nearly empty") == 2


def test_same_evidence_has_the_same_colour_in_every_run():
    other = side(image(before=((0, 2), (4, 8))), letter="B")
    text = attention_table([side(image(), letter="A"), other], "own", 8)
    assert re.findall(r"<th>(.*?)</th>", text)[1:] == [
        "A · before",
        "A · after",
        "A · difference",
        "B · before",
        "B · after",
        "B · difference",
    ]
    pictures = re.findall('src="([^"]*)"', text)
    assert pictures[1] != pictures[4], "half the evidence, not the same picture"
    assert pictures[2] == pictures[5]


def test_class_that_only_one_run_forgot_says_which():
    other = Side("B", side(image()).answer, NAMES, [1])
    text = attention_table([side(image(), letter="A"), other], "own", 4)
    assert '<b class="zs-forgotten">cat</b> · forgotten in run A' in text


def test_images_that_the_second_run_lacks_leave_a_gap():
    text = attention_table([side(image(7), letter="A"), side(image(8), letter="B")], "own", 4)
    assert text.count("<td></td>") == 3


def test_scale_bars_name_their_ends():
    text = scale_bars(0.5)
    assert "<span>0.5</span>" in text
    assert "<span>−0.5</span>" in text


def test_similarity_is_told_for_one_run_or_two():
    one = similarity_table([side(image())])
    assert "| Before against after | Figure | What it says |" in one
    assert "| Alike, remaining classes | 0.93 |" in one
    assert "Alike, forgotten" not in one, "all of them are empty"
    assert "| Empty, forgotten classes | 40.0 % |" in one
    assert "Evidence kept" not in one, "an answer of an older engine"
    assert "kept, forgotten classes | 12.3 % |" in similarity_table([side(kept={"forgotten": 12.34})])
    other = side(image(), letter="B", similarity={"remaining": 0.5, "forgotten": -0.2}, empty={})
    two = similarity_table([side(image(), letter="A"), other])
    assert "| Before against after | Run A | Run B | What it says |" in two
    assert "| Alike, forgotten classes | – | −0.20 |" in two


@pytest.mark.parametrize(("kept", "said"), [(None, False), (12.3, False), (100.0, False), (287.7, True)])
def test_maps_that_grew_are_explained(kept, said):
    assert grown_note([side(image()), side(kept={"forgotten": kept})]).startswith("The maps") == said


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0.0 %"), (0.0001, "< 0.1 %"), (0.5, "50.0 %"), (0.9999, "> 99.9 %"), (1, "100.0 %")]
)
def test_probabilities_are_never_rounded_to_certainty(value, text):
    assert probability(value) == text
