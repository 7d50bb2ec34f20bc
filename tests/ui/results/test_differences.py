from __future__ import annotations

from ui.results.differences import figure_differences, markdown_table, own_settings, setting_differences
from ui.shell.words import knob_label


def test_only_what_was_set_differently_is_listed(make_view):
    one, two = make_view("A"), make_view("B", method="posterior", forget=(3, 8))
    two.result["config"] = {"epochs": 2, "stop_rule": False, "reach": 0.5}
    assert setting_differences(one, two) == [
        ("Forgotten", "3", "3, 8"),
        ("Method", "zspag", "posterior"),
        (knob_label("stop_rule"), "on", "off"),
        ("Reach", "automatic", "0.5"),
    ]
    assert own_settings(one, two) == [f"Only zspag has: {knob_label('epsilon')}."]
    assert setting_differences(one, make_view("A")) == []
    assert own_settings(one, make_view("A")) == []


def test_figures_stand_beside_each_other_with_their_change(make_view):
    one, two = make_view("A"), make_view("B", method="mask")
    two.result["after"] |= {"acc_rt": 98.2, "loss_rt": 0.1}
    rows = {row[0]: row[1:] for row in figure_differences(one, two)}
    assert rows["Remaining accuracy · Acc_rt"] == ("98.4 %", "98.2 %", "−0.2")
    assert rows["Lead over mask, points"] == ("+0.2", "+0.0", "−0.2")
    assert rows["Remaining loss"] == ("0.120", "0.100", "−0.020")
    assert rows["Proxies that succeeded · ASR"] == ("99.0 %", "–", "–")
    assert rows["Epochs made"] == ("2", "0", "")
    assert rows["Time"] == ("6.5 s", "5.0 s", "")
    assert "Membership · confidence" not in rows, "unknown in both"


def test_stopped_runs_can_be_compared(make_view):
    rows = {row[0]: row[1:] for row in figure_differences(make_view("A"), make_view("B", cancelled=True))}
    assert rows["Remaining accuracy · Acc_rt"] == ("98.4 %", "–", "–")
    assert rows["Relearning"] == ("12 steps", "–", "")


def test_table_is_markdown():
    assert markdown_table(["", "A"], [("x", "1 %")]) == "|  | A |\n|:--|--:|\n| x | 1\N{NO-BREAK SPACE}% |"
