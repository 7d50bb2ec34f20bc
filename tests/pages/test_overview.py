from __future__ import annotations

from pathlib import Path

from ui.frame import PAGES
from zspag_core.jobs import State

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


def test_every_page_has_the_frame(overview):
    overview.run()
    labels = [link.proto.label for link in overview.sidebar.get("page_link")]
    assert labels == ["Overview", *(path.stem.partition("_")[2] for path in sorted((ROOT / "pages").glob("*.py")))]
    for path in PAGES:
        overview.switch_page(path).run()
        assert [link.proto.label for link in overview.sidebar.get("page_link")] == labels


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
    store.beats.beat("w", "worker", ("runs",), "cpu")
    overview.run()
    assert "Worker ready" in texts(overview)
