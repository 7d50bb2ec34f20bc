from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from ui.shell.frame import PAGES
from zspag_core.jobs import Lane, State

ROOT = Path(__file__).parents[2]


def texts(at):
    return " ".join(str(part.value) for part in [*at.markdown, *at.caption, *at.info])


def test_overview_says_what_the_app_does_and_leads_to_forget(overview):
    overview.run()
    assert not overview.exception
    assert overview.title[0].value == "Overview"
    assert "No run yet" in texts(overview)
    overview.button(key="begin").click().run()
    assert overview.title[0].value == "Forget"


@pytest.mark.slow
def test_every_page_has_the_frame(overview):
    overview.run()
    labels = [link.proto.label for link in overview.sidebar.get("page_link")]
    assert labels[0] == "Overview"
    assert sorted(labels[1:]) == sorted(path.stem.partition("_")[2] for path in (ROOT / "pages").glob("*.py"))
    for path in PAGES:
        overview.switch_page(path).run()
        assert [link.proto.label for link in overview.sidebar.get("page_link")] == labels


@pytest.mark.slow
def test_newest_runs_are_listed_with_their_numbers_and_open(overview, finish, run_config, result):
    run = finish("unlearn", run_config, answer=result)
    finish("unlearn", run_config | {"class_names": ["7"]}, State.FAILED, error="no")
    overview.run()
    said = texts(overview)
    assert "Acc_rt 99.4 %" in said
    assert "Failed" in said
    overview.button(key=f"open-{run.id}").click().run()
    assert overview.title[0].value == "Forget"
    assert overview.session_state["job_id"] == run.id


def test_worker_line_tells_the_truth(overview, store):
    overview.run()
    assert "Worker starting" in texts(overview)
    store.heartbeats.beat("w", "worker", ("runs",), "cpu")
    overview.run()
    assert "Worker ready" in texts(overview)


@pytest.mark.slow
def test_demo_submits_what_the_forget_page_would_and_goes_there(overview, store):
    overview.run()
    overview.button(key="demo").click().run()
    assert not overview.exception
    assert overview.title[0].value == "Forget"
    (job,) = store.latest(kind="unlearn")
    assert overview.session_state["job_id"] == job.id
    assert (job.config["forget"], job.config["class_names"], job.config["settings"]) == ([3], ["3"], {})
    assert (job.config["data"], job.config["method"]) == ("digits", "zspag")
    assert job.config["checkpoint"].endswith("digits_resnet_16.safetensors")


@pytest.mark.slow
def test_demo_and_an_untouched_forget_page_ask_for_the_same_run(forget_page, answered, overview, store, checkpoint):
    page = forget_page()
    page.checkbox(key=f"forget-{checkpoint.stem}-3").check().run()
    page.button(key="go").click().run()
    overview.switch_page("app.py").run()
    overview.button(key="demo").click().run()
    one, two = store.latest(kind="unlearn")
    assert one.config == two.config


def test_overview_shows_four_described_pictures_and_the_fence(overview):
    overview.run()
    drawn = " ".join(element.proto.body for element in overview.get("html"))
    assert drawn.count('src="data:image/svg+xml,') == 4
    said = texts(overview)
    assert "What the method saw" in said
    assert "For grading only" in said


@pytest.mark.slow
def test_a_full_disk_is_a_sentence_and_afterwards_all_goes_on(overview, store):
    overview.run()
    pages = {"most": 1}  # no more than there are

    def limit(connection, *_rest):
        connection.execute(f"pragma max_page_count = {pages['most']}")

    event.listen(store.engine, "checkout", limit)
    try:
        with pytest.raises(OperationalError, match="full"):
            _fill(store)
        overview.button(key="demo").click().run()
        assert not overview.exception
        (said,) = [error.value for error in overview.error]
        assert "the database of the runs cannot be used" in said
        pages["most"] = 2**30
        overview.run()
        overview.button(key="demo").click().run()
        assert not overview.error
        assert overview.title[0].value == "Forget"
    finally:
        event.remove(store.engine, "checkout", limit)


def _fill(store):
    while True:
        store.submit("noise", {}, lane=Lane.TRIALS)
