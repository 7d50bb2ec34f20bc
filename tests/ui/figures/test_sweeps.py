from __future__ import annotations

from ui.figures.sweeps import sweeps
from zspag_core.reproduce.comparison import Outcome, Row


def row(label, acc_rt, **settings):
    seeds = [Outcome(seed=0, acc_rt=acc_rt, acc_ut=1.0, asr=50.0)]
    return Row(key=label, label=label, method="zspag", needs_retain=False, settings=settings, seeds=seeds)


def test_rows_that_differ_in_one_setting_make_a_line_in_its_order(make_comparison):
    rows = [row(f"ε = {level}/255", 90.0 + level, epsilon=level / 255) for level in (8, 2, 4)]
    rows += [row(f"labels, n_adv = {n}", 80.0, n_adv=n) for n in (5, 20)]
    (drawn,) = sweeps(make_comparison(rows=rows))
    kept = next(trace for trace in drawn.figure.data if trace.name == "remaining")
    assert list(kept.x) == ["2/255", "4/255", "8/255"]
    assert list(kept.y) == [92.0, 94.0, 98.0]
    assert [trace.name for trace in drawn.figure.data] == ["remaining", "forgotten", "attacks that succeed"]
    assert "ε = 2/255 92.0 and 1.0" in drawn.alt


def test_arms_have_their_own_lines(make_comparison):
    rows = [row(f"{mode} labels, n_adv = {n}", n, n_adv=n, label_mode=mode) for mode in ("a", "b") for n in (5, 20, 80)]
    (drawn,) = sweeps(make_comparison(rows=rows))
    names = [trace.name for trace in drawn.figure.data]
    assert names == [
        "remaining · a labels", "forgotten · a labels", "attacks that succeed",
        "remaining · b labels", "forgotten · b labels",
    ]  # fmt: skip
    assert drawn.figure.data[0].line.dash != drawn.figure.data[3].line.dash


def test_nothing_is_swept_in_other_comparisons(make_comparison):
    assert sweeps(make_comparison()) == []
