from __future__ import annotations

from dataclasses import replace

from ui.compare.summary import answers


def told(comparison):
    return [answer.text.replace("\N{NO-BREAK SPACE}", " ") for answer in answers(comparison)]


def test_three_questions_are_answered(make_comparison):
    which, cost, more = told(make_comparison())
    assert which.startswith("**2 of 3** leave at most 5.0 %")
    assert "Not: Neggrad \\<zs> (30.0 %). Failed: BadT." in which
    assert "**ZS-PAG** keeps most without remaining data: 97.5 %, +2.0." in cost
    assert "Costly: SalUn (80.5 %, −15.0)." in cost
    assert "Blocking the outputs alone gives 96.5 %. Clearly above: ZS-PAG (+1.0)." in more
    assert "ZS-PAG is deepest among those that keep the rest: probe 80.0 % (original 96.0 %, Retrain 60.0 %)" in more


def test_methods_that_had_more_data_are_named_as_such(make_comparison):
    comparison = make_comparison()
    rows = [row for row in comparison.rows if row.key != "zspag"]
    rows[4] = type(rows[4])(**vars(rows[4]) | {"seeds": comparison.row("zspag").seeds})
    _, _, more = told(make_comparison(rows=rows))
    assert "Clearly above: SalUn (+1.0, remaining data)" in more


def test_hidden_classes_are_called_hidden(make_comparison):
    comparison = make_comparison()
    zspag = comparison.row("zspag")
    hidden = [type(one)(**vars(one) | {"probe": 96.0, "acc_rt": 96.5}) for one in zspag.seeds]
    rows = [*comparison.rows[:3], type(zspag)(**vars(zspag) | {"seeds": hidden})]
    which, cost, more = told(make_comparison(rows=rows))
    assert which.startswith("**It does**")
    assert "None loses more than 2 points." in cost
    assert "None is 0.5 points above that" in more
    assert "the probe finds the class as before" in more


def test_methods_that_keep_as_much_are_named_together(make_comparison):
    rows = make_comparison().rows
    other = replace(rows[3], key="other", label="Other")
    _, cost, _ = told(make_comparison(rows=[*rows[:4], other]))
    assert "**ZS-PAG**, **Other** keep most without remaining data: 97.5 %, +2.0." in cost


def test_depth_is_not_told_where_the_original_reads_like_retrain(make_comparison):
    rows = make_comparison().rows
    retrained = replace(rows[2], seeds=[replace(one, probe=94.0) for one in rows[2].seeds])
    shallow = replace(rows[3], seeds=[replace(one, probe=92.0) for one in rows[3].seeds])
    *_, more = told(make_comparison(rows=[*rows[:2], retrained, shallow]))
    assert "**Inside** the probe cannot tell: models that never saw the class show about as much (original" in more


def test_rows_that_failed_with_some_seeds_are_named(make_comparison):
    comparison = make_comparison()
    zspag = comparison.row("zspag")
    half = type(zspag)(**vars(zspag) | {"seeds": [zspag.seeds[0], *comparison.row("badt").seeds]})
    which, *_ = told(make_comparison(rows=[*comparison.rows[:3], half]))
    assert which.endswith("Failed with some seeds: ZS-PAG.")


def test_nothing_finished_is_said(make_comparison):
    assert all("No run has come to its end yet" in text for text in told(make_comparison(rows=[])))
    rows = make_comparison().rows
    assert "not known yet" in " ".join(told(make_comparison(rows=rows[3:])))
    _, cost, _ = told(make_comparison(rows=[*rows[:3], rows[4]]))
    assert cost == "No method forgets here, so there is nothing to weigh."
