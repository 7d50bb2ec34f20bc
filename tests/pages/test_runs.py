from __future__ import annotations

import json

import pytest

from zspag_core.jobs import Lane, State


def texts(at):
    parts = [*at.markdown, *at.caption, *at.info]
    return " ".join(str(part.value) for part in parts).replace("\\", "")


def listed(at):
    return list(at.dataframe[0].value["Run"])


@pytest.fixture
def runs_page(overview):
    """Return a function that opens the Runs page."""

    def open_page(**address):
        for name, word in address.items():
            overview.query_params[name] = word
        overview.run()
        page = overview.switch_page("pages/7_Runs.py").run()
        assert not page.exception
        return page

    return open_page


@pytest.fixture
def three(finish, run_config, result):
    """A finished run, a failed one, and a finished one of another method."""
    return [
        finish("unlearn", run_config, answer=result),
        finish(
            "unlearn", run_config | {"forget": [7], "class_names": ["7"]}, State.FAILED, error="the loss became nan"
        ),
        finish("unlearn", run_config | {"method": "mask"}, answer=result),
    ]


@pytest.mark.slow
def test_empty_page_says_what_to_do(runs_page, store):
    page = runs_page()
    assert "No run yet" in texts(page)
    page.button(key="runs-begin").click().run()
    assert page.title[0].value == "Forget"


def test_without_a_finished_run_there_are_no_empty_axes(runs_page, finish, run_config):
    finish("unlearn", run_config, State.FAILED, error="the loss became nan")
    page = runs_page()
    assert "so there is no point to draw" in texts(page)
    assert not page.get("plotly_chart")


def test_all_runs_are_listed_newest_first_with_their_figures(runs_page, three, finish):
    finish("train", {"name": "x"})
    page = runs_page()
    assert listed(page) == [job.number for job in reversed(three)]
    frame = page.dataframe[0].value
    assert list(frame["State"]) == ["Done", "Failed", "Done"]
    assert list(frame["Reason"]) == ["", "the loss became nan", ""]
    assert frame["Acc_rt"][0] == 99.4
    assert "3 runs; of the methods that forget, most is kept by run" in texts(page)
    assert "Tick a run in the table" in texts(page)
    spec = json.loads(page.get("plotly_chart")[0].proto.spec)
    assert sorted(trace["name"] for trace in spec["data"]) == ["Mask", "ZS-PAG"]


@pytest.mark.slow
def test_filters_narrow_table_and_figure_down(runs_page, three):
    page = runs_page()
    page.multiselect(key="runs-method").set_value(["Mask"]).run()
    assert listed(page) == [three[2].number]
    page.multiselect(key="runs-method").set_value([]).run()
    page.multiselect(key="runs-state").set_value([State.FAILED]).run()
    assert listed(page) == [three[1].number]
    page.multiselect(key="runs-state").set_value([]).run()
    page.text_input(key="runs-words").set_value("nan").run()
    assert listed(page) == [three[1].number]
    page.text_input(key="runs-words").set_value("nowhere").run()
    assert "No run fits these filters" in texts(page)
    assert not page.exception


def test_a_shared_link_shows_the_card_of_its_run(runs_page, three):
    page = runs_page(job=three[0].id)
    said = texts(page)
    assert "Forget :orange[3] in digits_resnet_16 with ZS-PAG (epochs 4). **Acc_rt** 99.4 % (+0.1 over mask)" in said
    assert page.code[0].value.endswith(f"/Results?job={three[0].id}")
    assert list(page.dataframe[0].value[""]) == ["", "", "A"]


@pytest.mark.slow
def test_title_and_note_are_kept(runs_page, three, store):
    page = runs_page(job=three[0].id)
    page.text_input(key=f"title-{three[0].id}").set_value("First *try*").run()
    page.text_area(key=f"note-{three[0].id}").set_value("It forgot.").run()
    kept = store.require(three[0].id)
    assert (kept.title, kept.note) == ("First *try*", "It forgot.")
    assert list(page.dataframe[0].value["Title"])[-1] == "First *try*"
    assert "· First *try*" in texts(page)


def test_failed_run_says_its_reason_and_runs_again(runs_page, three, store):
    page = runs_page(job=three[1].id)
    assert "Failed: the loss became nan" in texts(page)
    assert page.code[0].value.endswith(f"/Forget?job={three[1].id}")
    page.button(key=f"again-{three[1].id}").click().run()
    assert store.require(three[1].id).state == State.QUEUED


@pytest.mark.slow
def test_open_leads_to_the_results(runs_page, three):
    page = runs_page(job=three[0].id)
    page.button(key=f"open-{three[0].id}").click().run()
    assert page.title[0].value == "Results"
    assert page.session_state["job_id"] == three[0].id


@pytest.mark.slow
def test_deleted_run_can_be_brought_back(runs_page, three, store):
    page = runs_page(job=three[0].id)
    page.button(key=f"delete-{three[0].id}").click().run()
    assert listed(page) == [three[2].number, three[1].number]
    assert f"Run {three[0].number} was deleted" in texts(page)
    assert "job" not in page.query_params
    page.button(key="undo").click().run()
    assert len(listed(page)) == 3
    assert not [button for button in page.button if button.key == "undo"]


@pytest.mark.slow
def test_runs_deleted_earlier_are_listed_with_the_way_back(runs_page, three, store):
    for job in three:
        store.delete(job.id)
    page = runs_page()
    assert "No run yet" in texts(page)
    page.button(key=f"restore-{three[1].id}").click().run()
    assert listed(page) == [three[1].number]


@pytest.mark.slow
def test_a_and_b_change_places(runs_page, three):
    page = runs_page(job=three[0].id, b=three[2].id)
    assert list(page.dataframe[0].value[""]) == ["B", "", "A"]
    page.button(key=f"a-{three[2].id}").click().run()
    assert list(page.dataframe[0].value[""]) == ["A", "", "B"]
    page.button(key=f"b-{three[2].id}").click().run()
    assert list(page.dataframe[0].value[""]) == ["B", "", "A"]
    page.button(key=f"delete-{three[0].id}").click().run()
    assert list(page.dataframe[0].value[""]) == ["A", ""], "B takes A's place"


def test_run_under_way_is_listed(runs_page, store, run_config):
    store.submit("unlearn", run_config)
    store.heartbeats.beat("w", "worker", (Lane.RUNS,), "cpu")
    job = store.claim(Lane.RUNS, "w", "cpu")
    page = runs_page(job=job.id)
    assert list(page.dataframe[0].value["State"]) == ["Running"]
    assert "none of them has come to its end" in texts(page)
