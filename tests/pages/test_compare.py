from __future__ import annotations

import re

import pytest

from ui.compare import comparisons
from zspag_core.jobs import Lane, State


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where ready-made comparisons lie, empty at first."""
    place = tmp_path / "comparisons"
    place.mkdir()
    monkeypatch.setattr(comparisons, "FOLDER", place)
    return place


@pytest.fixture
def compare_page(overview, store, folder):
    """Return a function that opens the Compare page."""

    def open_page(**address):
        for name, word in address.items():
            overview.query_params[name] = word
        overview.run()
        page = overview.switch_page("pages/6_Compare.py").run()
        assert not page.exception
        return page

    return open_page


def texts(at):
    parts = [*at.markdown, *at.caption, *at.info]
    return " ".join(str(part.value) for part in parts).replace("\\", "").replace("\N{NO-BREAK SPACE}", " ")


def tables(at):
    return [found for part in at.get("html") if "<table" in (found := part.proto.body)]


def cells(table, row):
    line = next(line for line in table.split("<tr") if f"{row}</th>" in line or f"{row} <small>" in line)
    found = re.findall(r"<td[^>]*>(.*?)</td>", line)
    return [re.sub(r"<[^>]+>", "", cell).strip() for cell in found]


@pytest.mark.slow
def test_without_any_comparison_the_form_is_there(compare_page, answered):
    page = compare_page()
    assert "Nothing has been compared yet" in texts(page)
    assert not tables(page)
    assert page.pills(key="compare-group-0").value == "new"
    assert page.button(key="compare-go").disabled, "no class is ticked"
    page.checkbox(key="forget-digits_resnet_16-3").check().run()
    assert not page.button(key="compare-go").disabled
    assert "needs remaining data" in texts(page)


def test_ready_made_comparison_shows_at_once(compare_page, folder, make_comparison):
    make_comparison().write(folder / "table1-digits-resnet.json")
    page = compare_page()
    said = texts(page)
    assert "Which method forgets?" in said
    assert "A made-up note." in said
    assert page.query_params["compare"] == "table1-digits-resnet"
    (table,) = tables(page)
    assert cells(table, "ZS-PAG")[:5] == ["zero-shot", "97.5 ± 0.7", "+1.0", "1.0 ± 0.0", "41.5 ± 0.7"]
    charts = page.get("plotly_chart")
    assert len(charts) == 4
    assert all(chart.proto.alt for chart in charts)
    assert page.pills(key="compare-group-0").value == "table1"


@pytest.mark.slow
def test_several_data_sets_of_one_preset_are_chosen_between(compare_page, folder, make_comparison):
    make_comparison().write(folder / "table1-digits-resnet.json")
    make_comparison("table1-cifar10-vit", data="cifar10", model="vit_small", title="Table 1").write(
        folder / "table1-cifar10-vit.json"
    )
    (folder / "broken.json").write_text("{")
    page = compare_page()
    box = page.selectbox(key="compare-among-table1-0")
    assert box.value == "table1-digits-resnet", "digits first"
    box.set_value("table1-cifar10-vit").run()
    assert "in vit\\_small on" in next(caption.value for caption in page.caption if "ready-made" in caption.value)
    assert page.query_params["compare"] == "table1-cifar10-vit"


@pytest.mark.slow
def test_ready_made_comparison_is_run_live(compare_page, folder, make_comparison, store):
    make_comparison().write(folder / "table1-digits-resnet.json")
    page = compare_page()
    page.number_input(key="live-seeds-table1-digits-resnet").set_value(1).run()
    page.button(key="live-table1-digits-resnet").click().run()
    assert not page.exception
    (name,) = store.comparisons()
    assert page.query_params["compare"] == name
    queued = store.latest(comparison=name)
    assert [job.config["method"] for job in reversed(queued)] == [
        "mask", "retrain", "zspag", "neggrad_zs", "salun", "badt",
    ]  # fmt: skip
    assert queued[2].config["settings"] == {"learning_rate": 0.01}
    assert "0 of 6 runs have ended" in page.get("progress")[0].proto.text


@pytest.fixture
def ordered(store, checkpoint):
    """A comparison of two methods and two seeds, waiting."""
    from zspag_core.reproduce.comparison import Row

    subject = comparisons.ComparedRun("digits", str(checkpoint), (3,), ("3",))
    rows = [Row(key=name, label=name.upper(), method=name, needs_retain=False) for name in ("zspag", "posterior")]
    return comparisons.order(subject, rows, (0, 1))


@pytest.fixture
def end(store):
    """Return a function that ends the next run as told."""

    def end(state=State.DONE, **ending):
        store.heartbeats.beat("w", "worker", (Lane.RUNS,), "cpu")
        job = store.claim(Lane.RUNS, "w", "cpu")
        store.finish(job, state, **ending)
        return job

    return end


def test_own_comparison_fills_in_while_runs_finish(compare_page, ordered, end, make_record, store):
    first = end(answer=make_record())
    store.claim(Lane.RUNS, "w", "cpu")
    page = compare_page(compare=ordered)
    assert "1 of 4 runs have ended · now POSTERIOR, seed 0" in page.get("progress")[0].proto.text
    (table,) = tables(page)
    assert f'<a href="/Results?job={first.id}"' in table
    assert cells(table, "ZSPAG")[1] == "98.4"
    assert cells(table, "POSTERIOR")[1] == "–"
    assert "running" in cells(table, "POSTERIOR")[-1]
    assert cells(table, "Original")[1] == "98.0"
    assert not page.button(key="compare-cancel").disabled


def test_finished_comparison_has_its_spread_and_no_progress(compare_page, ordered, end, make_record):
    for acc_rt in (98.0, 97.0, 99.0, 99.0):
        record = make_record()
        record["after"]["acc_rt"] = acc_rt
        end(answer=record)
    page = compare_page(compare=ordered)
    (table,) = tables(page)
    assert cells(table, "ZSPAG")[1] == "98.5 ± 0.7", "seeds 0 and 1 are runs 1 and 3"
    assert not page.get("progress")
    assert not [button for button in page.button if button.key in {"compare-cancel", "compare-again"}]


def test_cancel_all_ends_every_run_and_again_brings_them_back(compare_page, ordered, store):
    page = compare_page(compare=ordered)
    page.button(key="compare-cancel").click().run()
    assert [job.state for job in store.latest(comparison=ordered)] == [State.CANCELLED] * 4
    page.run()
    assert "0 of 4 runs came to their end" in texts(page)
    assert "No run has come to its end yet" in texts(page)
    page.button(key="compare-again").click().run()
    assert [job.state for job in store.latest(comparison=ordered)] == [State.QUEUED] * 4


def test_failed_runs_say_why(compare_page, ordered, end, make_record):
    end(State.FAILED, error="the loss became nan")
    for _ in range(3):
        end(answer=make_record())
    page = compare_page(compare=ordered)
    assert "1 failed" in texts(page)
    assert "the loss became nan" in texts(page)
    (table,) = tables(page)
    assert "failed" in cells(table, "ZSPAG")[-1]


@pytest.mark.slow
def test_form_queues_one_run_for_each_method_and_seed(compare_page, answered, store):
    page = compare_page()
    page.checkbox(key="forget-digits_resnet_16-3").check().run()
    page.checkbox(key="compare-zspag-no projection").check().run()
    for name in ("posterior", "finetune_zs", "retrain"):
        page.checkbox(key=f"compare-{name}").uncheck()
    page.run()
    assert "3 methods × 2 seeds = 6 runs" in texts(page)
    page.button(key="compare-go").click().run()
    assert not page.exception
    (name,) = store.comparisons()
    jobs = list(reversed(store.latest(comparison=name)))
    made = [(job.config["method"], job.config["comparison"]["label"], job.config["seed"]) for job in jobs]
    assert [(method, seed) for method, _, seed in made] == [(one, seed) for seed in (0, 1) for one in
                                                            ("zspag", "mask", "zspag")]  # fmt: skip
    assert made[2][1] == "ZS-PAG, no projection"
    assert jobs[2].config["settings"]["subspace"] == "none"
    assert page.query_params["compare"] == name


@pytest.mark.slow
def test_rows_are_put_in_order(compare_page, folder, make_comparison):
    make_comparison().write(folder / "table1-digits-resnet.json")
    page = compare_page()
    page.selectbox(key="compare-order").set_value("Time").run()
    (table,) = tables(page)
    places = [table.index(label) for label in ("Original", "Neggrad", "ZS-PAG", "SalUn", "BadT")]
    assert places == sorted(places)


@pytest.mark.slow
def test_own_comparisons_are_listed(compare_page, ordered, folder, make_comparison):
    make_comparison().write(folder / "table1-digits-resnet.json")
    page = compare_page()
    assert "ZS-PAG" in tables(page)[0]
    page.pills(key="compare-group-0").set_value("mine").run()
    assert not page.exception
    assert page.query_params["compare"] == ordered
    assert not page.get("plotly_chart"), "nothing to draw yet"
