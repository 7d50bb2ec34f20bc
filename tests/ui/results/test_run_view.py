from __future__ import annotations

import json

from ui.results.run_view import listed, result_of, view_of
from zspag_core.jobs import State


def test_view_of_a_finished_run_has_its_arrays(make_view):
    view = make_view()
    assert view.forget == (3,)
    assert view.names == tuple(str(k) for k in range(10))
    assert set(view.labels) == {"labels", "truth"}
    assert "test.after" in view.grading
    assert view.title == "Run 7"


def test_a_title_given_by_hand_is_used(make_view):
    assert make_view(changes={"title": "My best"}).title == "My best"


def test_no_view_of_a_run_without_a_result(make_job, tmp_path):
    for state in (State.QUEUED, State.RUNNING, State.FAILED, State.CANCELLED):
        assert view_of("A", make_job(state=state, folder=tmp_path)) is None
    assert view_of("A", make_job(kind="train", state=State.DONE, answer={"history": []})) is None


def test_cancelled_run_is_read_from_its_folder(make_job, make_record, tmp_path):
    result = make_record(cancelled=True)
    (tmp_path / "result.json").write_text(json.dumps(result))
    assert result_of(make_job(state=State.CANCELLED, folder=tmp_path)) == result


def test_listed():
    assert listed(("a", "b", "c"), (0, 2)) == "a, c"
