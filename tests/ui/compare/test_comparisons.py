from __future__ import annotations

import re
import shutil
from dataclasses import replace

from ui.compare.comparisons import comparison_of, network_of, order, outcome_of, shipped_comparisons, subject_of
from ui.compare.form import kinds_note
from ui.compare.panels import as_csv, progress_words
from ui.compare.table import best_rows, in_order, table_html
from ui.shell.checkpoints import shipped_checkpoints
from zspag_core.jobs import State
from zspag_core.metrics.depth.row import row_depth
from zspag_core.shipped import LESSON_MODEL


def test_every_shipped_comparison_can_be_read_and_shown():
    found = shipped_comparisons()
    for comparison in found:
        assert [row.key for row in comparison.rows][:2] == ["original", "mask"] or comparison.data != "digits"
        assert "<table" in table_html(comparison, {})
    assert len({comparison.name for comparison in found}) == len(found)


def test_outcome_keeps_what_a_run_came_to(make_record):
    outcome = outcome_of(make_record() | {"backdoor": {"before": 98.0, "after": 1.0}}, 4)
    assert (outcome.seed, outcome.acc_rt, outcome.acc_ut, outcome.probe) == (4, 98.4, 0.0, 95.0)
    assert (outcome.relearning, outcome.relearned, outcome.asr, outcome.attack) == (12, True, 99.0, 1.0)
    assert outcome.seconds == 3.5, "grading is not counted"
    assert outcome.value("mia.entropy_svc") == 46.0


def test_runs_add_up_to_a_comparison_with_its_references(store, make_comparison, make_record):
    subject = subject_of(make_comparison())
    assert subject is not None
    assert subject.checkpoint == str(LESSON_MODEL)
    rows = make_comparison().rows
    name = order(subject, [rows[3], rows[2]], [0, 7], make_comparison())
    jobs = list(reversed(store.latest(comparison=name)))
    assert [(job.config["method"], job.config["seed"]) for job in jobs] == [
        ("zspag", 0), ("retrain", 0), ("zspag", 7), ("retrain", 7),
    ]  # fmt: skip
    assert jobs[1].config["settings"]["epochs"] == 30, "the recipe of the model"
    store.heartbeats.beat("w", "worker", ("runs",), "cpu")
    store.finish(store.claim("runs", "w", "cpu"), State.DONE, answer=make_record())
    store.finish(store.claim("runs", "w", "cpu"), State.FAILED, error="no memory")
    jobs = list(reversed(store.latest(comparison=name)))
    found = comparison_of(name, jobs)
    assert [row.key for row in found.rows] == ["original", "mask", "zspag", "retrain"]
    assert found.row("original").seeds[0].acc_rt == 98.0
    assert found.row("mask").seeds[0].acc_rt == 98.2
    assert [len(row.seeds) for row in found.rows] == [1, 1, 1, 1]
    assert found.row("retrain").seeds[0].error == "no memory"
    assert found.class_names[3] == "3"
    share, words = progress_words(jobs)
    assert share == 0.5
    assert words.startswith("2 of 4 runs have ended")
    assert words.endswith("left")


def test_comparison_is_run_on_the_model_that_it_began_from(make_comparison, monkeypatch, tmp_path):
    monkeypatch.setattr("ui.compare.comparisons.ORIGINALS", tmp_path)
    monkeypatch.setattr(shipped_checkpoints, "__defaults__", (tmp_path / "none",))
    assert subject_of(make_comparison()) is None
    shutil.copy(LESSON_MODEL, tmp_path / "digits_earlier.safetensors")
    assert network_of(make_comparison()) == "digits_earlier"
    assert subject_of(make_comparison(test_accuracy=99.0)) is None, "another model of the same size"


def test_comparison_without_its_data_cannot_be_run(make_comparison):
    assert subject_of(make_comparison(data="faces12", model="resnet18")) is None


def untinted(line):
    """Return a line of the table without the marks of the best in a column."""
    return re.sub(r'<span class="zs-best"[^>]*>(.*?)</span>', r"\1", line)


def test_table_escapes_names_and_marks_what_reaches_its_goal(make_comparison):
    table = table_html(make_comparison(), {})
    assert "Neggrad &lt;zs&gt; <small>tuned</small>" in table
    assert "<zs>" not in table
    line = untinted(next(line for line in table.split("<tr") if "ZS-PAG</th>" in line))
    assert '<td class="zs-good">1.0 <small>± 0.0</small></td>' in line
    assert '<td class="zs-good">41.5' in line, "within 3 points of Retrain"
    assert "over 9" in line
    assert "85.5, 1.4" in line
    assert "failed: the loss became nan" in table
    assert "0.0 <small>" not in next(line for line in table.split("<tr") if "BadT</th>" in line)


def test_what_the_original_has_already_is_no_goal_reached(make_comparison):
    rows = make_comparison().rows
    near = replace(rows[0], seeds=[replace(one, probe=82.0, mia={"entropy_svc": 43.0}) for one in rows[0].seeds])
    retrained = replace(rows[2], seeds=[replace(one, probe=80.0) for one in rows[2].seeds])

    def probe_of(original):
        table = table_html(make_comparison(rows=[original, rows[1], retrained, *rows[3:]]), {})
        return untinted(next(line for line in table.split("<tr") if "ZS-PAG</th>" in line))

    assert '<td class="zs-good">80.0' in probe_of(rows[0])
    assert "<td>80.0" in probe_of(near)
    assert "<td>41.5" in probe_of(near)


def test_the_best_of_a_column_stands_out_among_methods_that_forget(make_comparison):
    rows = make_comparison().rows
    first = next(row for row in rows if row.key == "zspag")
    seeds = {
        "kept": [replace(one, acc_rt=90.0, acc_ut=1.0) for one in first.seeds],
        "broke": [replace(one, acc_rt=20.0, acc_ut=0.0) for one in first.seeds],
        "not forgotten": [replace(one, acc_rt=99.0, acc_ut=60.0) for one in first.seeds],
    }
    comparison = make_comparison(rows=[*rows[:3], *(replace(first, key=key, seeds=seeds[key]) for key in seeds)])
    best = best_rows(comparison)
    assert (best["acc_rt"], best["acc_ut"]) == ({"kept"}, {"broke"})
    assert '<span class="zs-best" title="the best of the methods that forget">90.0' in table_html(comparison, {})
    same = [replace(first, key=f"same {k}", seeds=seeds["kept"]) for k in range(4)]
    assert "acc_rt" not in best_rows(make_comparison(rows=[*rows[:3], *same])), "all alike"


def test_a_pinned_row_stands_first_in_any_order(make_comparison):
    lines = table_html(make_comparison(), {}, "Time", "badt").split("<tbody>")[1].split("<tr")[1:]
    assert "BadT</th>" in lines[0]
    assert lines[0].startswith(" class='zs-pinned'")
    assert not any("zs-pinned" in line for line in lines[1:])


def test_a_network_is_called_as_its_shipped_checkpoint(make_comparison):
    assert network_of(make_comparison()) == "digits_resnet"
    assert network_of(make_comparison(data="faces12", model="resnet18")) == "resnet18"


def test_seeds_that_failed_are_counted(make_comparison):
    comparison = make_comparison()
    zspag, badt = comparison.row("zspag"), comparison.row("badt")
    half = type(zspag)(**vars(zspag) | {"seeds": [zspag.seeds[0], *badt.seeds]})
    table = table_html(make_comparison(rows=[half]), {})
    assert "1 of 2</td>" in table
    assert '<td class="zs-good">1.0</td>' in table, "the mean of the others"


def test_caption_says_what_official_and_tuned_mean(make_comparison):
    given, tuned = kinds_note(make_comparison())
    assert given == "Methods were given 146 forget and, where they need them, 1,200 remaining images."
    assert tuned.startswith("Tuned: the best of 3 values")
    assert len(kinds_note(make_comparison(rows=make_comparison().rows[:4]))) == 1


def test_order_keeps_references_first_and_unknown_last(make_comparison):
    rows = in_order(make_comparison().rows, "Remaining accuracy")
    assert [row.key for row in rows] == ["original", "mask", "retrain", "zspag", "salun", "neggrad_zs", "badt"]
    assert in_order(rows, "As listed") == rows


def depth_of(probe, bits, back):
    """A measured depth of two models, as a worker answers it."""
    part = {"probe": [probe] * 2, "probe_rest": [1.0] * 2, "knn": [1.0] * 2, "knn_rest": [1.0] * 2, "bits": [bits] * 2}
    part |= {"prototypes": {"5": {"forget": back}}}
    original = part | {"probe": [70.0, 90.0]}
    return {"stages": ["one", "two"], "models": {"original": original, "unlearned": part}}


def test_depth_has_columns_where_a_row_has_it_and_an_empty_place_where_not(make_comparison):
    rows = make_comparison().rows
    assert "every stage" not in table_html(make_comparison(), {})

    def asked(row, *figures):
        return replace(row, seeds=[replace(one, depth=row_depth(depth_of(*figures), "unlearned")) for one in row.seeds])

    near, far = asked(rows[3], 61.04, 0.512, 80.0), asked(rows[5], 70.0, 0.518, 80.0)
    comparison = make_comparison(rows=[*rows[:2], asked(rows[2], 60.0, 0.5, 75.0), near, rows[4], far, rows[6]])
    head, body = table_html(comparison, {}).split("<tbody>")
    assert "Probe, every stage, %" in head
    assert "Bits, every stage, bits" in head
    lines = {line.split("</span> ")[1].split("<")[0].strip(): line for line in body.split("<tr")[1:]}
    assert "61.0 <small>± 0.0</small></span></td>" in lines["ZS-PAG"], "nearest to Retrain"
    assert "<td>0.51 <small>± 0.00</small>" in untinted(lines["ZS-PAG"])
    assert best_rows(comparison)["depth.mean.bits"] == {"zspag"}, "0.51 against 0.52"
    assert f"{4 * '<td>–</td>'}<td>2.0 s</td>" in lines["Neggrad &lt;zs&gt;"], "relearning and the three of depth"
    assert 'colspan="10"' in lines["BadT"]
    first, *others = as_csv(comparison).splitlines()
    assert first.endswith("seconds,depth_mean_probe,depth_mean_bits,depth_prototypes_5_forget,ended")
    assert others[-7].endswith(",61.04,0.512,80.0,epochs")


def test_a_depth_that_was_measured_for_a_page_stands_in_the_table(store, make_comparison, make_record):
    name = order(subject_of(make_comparison()), [make_comparison().rows[3]], [0], make_comparison())
    store.heartbeats.beat("w", "worker", ("runs",), "cpu")
    run = store.claim("runs", "w", "cpu")
    store.finish(run, State.DONE, answer=make_record())
    (job,) = store.latest(comparison=name)
    assert not comparison_of(name, [job]).knows_depth
    for other in (run.id, "another"):
        task = store.submit("depth", {"run": other, "extent": "quick"})
        store.finish(store.claim("runs", "w", "cpu", only=task.id), State.DONE, answer=depth_of(50.0, 0.5, 9.0))
    original, masked, zspag = comparison_of(name, [job]).rows
    assert zspag.seeds[0].value("depth.mean.probe") == 50.0
    assert original.seeds[0].value("depth.mean.probe") == 80.0
    assert masked.seeds[0].depth == original.seeds[0].depth, "masking changes no feature"


def test_every_outcome_is_a_line_of_the_csv(make_comparison):
    lines = as_csv(make_comparison()).splitlines()
    assert lines[0].startswith("row,kind,method,needs_remaining_data,settings,seed,acc_rt,acc_ut,entropy_svc")
    assert len(lines) == 1 + 13
    assert "BadT,default,badt,True,,0,,,,,,,,the loss became nan" in lines
