from __future__ import annotations

from dataclasses import replace

from tests.reproduce.test_comparison import example
from zspag_core.reproduce.comparison import Outcome, Row
from zspag_core.reproduce.markdown import as_markdown
from zspag_core.reproduce.scale import BRIEF, FULL, SMALL


def _with(*rows):
    return replace(example(), rows=[*example().rows, *rows])


MASK = Row(
    key="mask",
    label="Mask",
    method="mask",
    needs_retain=False,
    kind="reference",
    seeds=[Outcome(seed=0, acc_rt=86.5, acc_ut=0.0)],
)


def test_a_row_says_how_many_seeds_its_mean_is_of_where_some_failed():
    made = Outcome(seed=0, acc_rt=10.5, acc_ut=0.0)
    failed = Outcome(seed=1, acc_rt=None, acc_ut=None, stopped="failed", error="the loss became nan")
    row = Row(key="rl", label="RL", method="finetune_zs", needs_retain=False, kind="official", seeds=[made, failed])
    assert "| 10.50 (1 of 2 seeds, the others failed) |" in as_markdown(_with(row), SMALL)


def test_a_row_has_mean_deviation_the_papers_figure_and_the_distance_to_mask():
    page = as_markdown(_with(MASK), SMALL)
    (line,) = [line for line in page.splitlines() if line.startswith("| ZS-PAG ")]
    assert "| 87.00 ± 1.41 | 85.47 | +0.50 | 1.00 | 1.40 |" in line
    assert "| Mask | reference | 86.50 | – | +0.00 |" in page
    assert "- one note" in page


def test_depth_has_columns_where_any_row_was_asked():
    depth = {"mean": {"probe": 61.25, "bits": 0.516}, "prototypes": {"5": {"forget": 80.0}}}
    plain = as_markdown(_with(MASK), SMALL)
    assert "over stages" not in plain
    page = as_markdown(_with(replace(MASK, seeds=[replace(MASK.seeds[0], depth=depth)])), SMALL)
    assert "| probe, mean over stages | bits, mean over stages | back from 5 images | seconds |" in page
    (line,) = [line for line in page.splitlines() if line.startswith("| Mask ")]
    assert line.endswith("| 61.2 | 0.52 | 80.0 | – |")
    (line,) = [line for line in page.splitlines() if line.startswith("| ZS-PAG ")]
    assert line.endswith("| – | – | – | 3.0 |")
    assert "*Mean over stages*" in page


def test_tuned_rows_say_what_was_chosen_and_the_page_how():
    tuned = Row(
        key="salun_tuned",
        label="SalUn",
        method="salun",
        needs_retain=True,
        settings={"learning_rate": 0.0316, "epochs": 10},
        kind="tuned",
        seeds=[Outcome(seed=0, acc_rt=80.0, acc_ut=1.0, relearning=100, relearned=False)],
    )
    assert "trials" not in as_markdown(_with(MASK), SMALL)
    page = as_markdown(_with(tuned), SMALL)
    assert "| SalUn † | tuned: learning_rate 0.0316 |" in page
    assert f"*tuned*: {SMALL.trials} trials for every method" in page
    assert "never on test images" in page
    assert "| ≥ 100 |" in page
    assert "1 seed at this scale" in page
    assert "settings and tuned methods that need remaining data have 1 seed" in as_markdown(_with(tuned), BRIEF)
    assert "1 seed at this scale" not in as_markdown(_with(tuned), FULL)
