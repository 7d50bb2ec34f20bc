"""A shared dashboard, page by page: what visitors see of each other, and what a teacher sees."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from ui.shell import visitor as visitor_module
from ui.shell.class_bar import OPENED, presence
from ui.shell.jobs import shared_store
from zspag_core.jobs import Lane, State
from zspag_core.visitors.belongings import add_owner, trained, uploads
from zspag_core.visitors.classroom import Classroom, Limits, open_classroom
from zspag_core.visitors.passes import Visitor, write_pass

ROOT = Path(__file__).parents[2]
ADA, BOB, TEACHER = Visitor("a" * 20, "Ada"), Visitor("b" * 20, "Bob"), Visitor("t" * 20, "Ms N", teacher=True)
WHO = {"ada": ADA, "bob": BOB, "teacher": TEACHER}


@pytest.fixture
def store(clean_home, monkeypatch):
    monkeypatch.setenv("ZSPAG_SHARE", "1")
    opened = shared_store()
    yield opened
    opened.close()


@pytest.fixture
def school(store):
    return open_classroom(Classroom(limits=Limits(waiting=2), hosts=("localhost",)))


@pytest.fixture
def carry(school, monkeypatch):
    """Return a function that lets the browser carry somebody's pass."""

    def carry(who):
        monkeypatch.setattr(visitor_module, "carried_pass", lambda: write_pass(WHO[who], school.secret))

    return carry


@pytest.fixture
def visit(carry):
    """Return a function that opens a page as somebody, with a session of their own."""

    def visit(who, name, **address):
        carry(who)
        page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
        for key, word in address.items():
            page.query_params[key] = word
        page.run()
        if name:
            page = page.switch_page(f"pages/{name}").run()
        assert not page.exception
        return page

    return visit


@pytest.fixture
def finish(store):
    """Queue somebody's job, claim it and end it as told."""

    def finish(kind, config, state=State.DONE, lane=Lane.RUNS, owner=ADA.id, **ending):
        store.submit(kind, config, lane=lane, owner=owner)
        store.heartbeats.beat("worker", "worker", (Lane.RUNS, Lane.INTERACTIVE), "cpu")
        job = store.claim(lane, "worker", "cpu")
        store.finish(job, state, **ending)
        return store.require(job.id)

    return finish


@pytest.fixture
def graded(finish, run_config, checkpoint, make_record, write_arrays):
    """A finished run of Ada's with the files that pages draw; its relearning was not measured."""
    result = make_record(relearned=False)
    config = run_config | {"forget": result["forget"], "class_names": [str(k) for k in result["forget"]]}
    job = finish("unlearn", config | {"method": result["method"]}, answer=result)
    write_arrays(job.folder, result)
    shutil.copy(checkpoint, job.folder / "model.safetensors")
    return job


def texts(page):
    parts = [*page.markdown, *page.caption, *page.info, *page.error, *page.warning, *page.title]
    return " ".join(str(part.value) for part in parts)


def keys(page):
    return {button.key for button in page.button}


@pytest.mark.slow
def test_runs_lists_ones_own(visit, finish, run_config, result):
    finish("unlearn", run_config, answer=result)
    assert len(visit("ada", "7_Runs.py").dataframe[0].value) == 1
    assert "No run yet" in texts(visit("bob", "7_Runs.py"))
    assert "No run yet" in texts(visit("teacher", "7_Runs.py")), "a teacher sees who is where, not their runs"


@pytest.mark.slow
@pytest.mark.parametrize("state", [State.RUNNING, State.FAILED, State.DONE])
def test_a_shared_link_opens_read_only(visit, finish, store, answered, run_config, result, state):
    if state == State.RUNNING:
        job = store.submit("unlearn", run_config, owner=ADA.id)
        store.claim(Lane.RUNS, "worker", "cpu")
    else:
        job = finish("unlearn", run_config, state, answer=result, error="x" * (state == State.FAILED))
    theirs, own = visit("bob", "2_Forget.py", job=job.id), visit("ada", "2_Forget.py", job=job.id)
    sentence = f"Run {job.number} is somebody else's: you see its results, and cannot change it."
    assert sentence in texts(theirs)
    assert sentence not in texts(own)
    changing = {"run-pause", "run-continue", "run-one epoch", "run-cancel", "again", "take"}
    assert keys(own) & changing
    assert not keys(theirs) & changing
    assert job.id not in str(visit("bob", "7_Runs.py", job=job.id).dataframe)


@pytest.mark.slow
def test_a_finished_run_of_anothers_shows_its_results_and_nothing_to_ask_for(visit, graded):
    job = graded
    own, theirs = visit("ada", "5_Results.py", job=job.id), visit("bob", "5_Results.py", job=job.id)
    assert len(theirs.get("metric")) == len(own.get("metric")) > 0
    asking = {key for key in keys(own) - keys(theirs) if key}
    assert {key.rpartition("-")[0] for key in asking} >= {"relearn"}
    assert {"depth-quick-A", "depth-all-A"} <= keys(visit("ada", "5_Results.py", job=job.id, part="Depth"))
    assert not {"depth-quick-A", "depth-all-A"} & keys(visit("bob", "5_Results.py", job=job.id, part="Depth"))


@pytest.mark.slow
def test_an_equal_run_of_anothers_is_offered_at_once(visit, finish, answered, checkpoint, result):
    page = visit("ada", "2_Forget.py")
    page.checkbox(key=f"forget-{checkpoint.stem}-3").check().run()
    page.button(key="go").click().run()
    store = shared_store()
    job = store.latest()[0]
    store.finish(store.claim(Lane.RUNS, "worker", "cpu"), State.DONE, answer=result)
    other = visit("bob", "2_Forget.py")
    other.checkbox(key=f"forget-{checkpoint.stem}-3").check().run()
    other.button(key="open-equal").click().run()
    assert "is somebody else's" in texts(other)
    assert other.query_params["job"] in (job.id, [job.id])


@pytest.mark.slow
def test_who_has_enough_runs_waiting_is_told_in_the_form(visit, store, answered, checkpoint):
    for _ in range(2):
        store.submit("unlearn", {"forget": [1]}, owner=ADA.id)
    page = visit("ada", "2_Forget.py")
    page.checkbox(key=f"forget-{checkpoint.stem}-3").check().run()
    page.button(key="go").click().run()
    assert not page.exception
    assert "each may have 2 runs waiting; you have 2" in texts(page)
    assert len(store.latest()) == 2


def chosen(page):
    """Return the name of the file that a visitor has chosen, None where it is the usual one."""
    return page.session_state["choice"].checkpoint.stem if "choice" in page.session_state else None


@pytest.mark.slow
def test_models_and_uploads_of_others_are_not_in_the_pickers(visit, store, checkpoint, answered):
    trained().mkdir(parents=True)
    shutil.copy(checkpoint, trained() / "hers.safetensors")
    store.submit("train", {"name": "hers"}, owner=ADA.id)
    uploads().mkdir()
    shutil.copy(checkpoint, uploads() / "ab12.safetensors")
    add_owner(uploads() / "ab12.safetensors", ADA.id, "mine.safetensors")
    for token in ("own:hers", "upload:ab12.safetensors"):
        assert chosen(visit("ada", "2_Forget.py", model=token, data="digits")) in {"hers", "ab12"}
        assert chosen(visit("bob", "2_Forget.py", model=token, data="digits")) is None


@pytest.mark.slow
def test_a_shared_run_brings_its_model_along_only_where_one_may_use_it(visit, finish, checkpoint, result, answered):
    uploads().mkdir()
    upload = Path(shutil.copy(checkpoint, uploads() / "ab12.safetensors"))
    add_owner(upload, ADA.id, "mine.safetensors")
    config = {"data": "digits", "checkpoint": str(upload), "forget": [3], "class_names": ["3"], "settings": {}}
    job = finish("unlearn", config, answer=result)
    theirs = visit("bob", "2_Forget.py", job=job.id)
    assert "is somebody else's" in texts(theirs)
    assert chosen(theirs) is None
    assert chosen(visit("ada", "2_Forget.py", job=job.id)) == "ab12"


def test_without_a_pass_a_page_shows_nothing(school, monkeypatch, finish, run_config, result):
    finish("unlearn", run_config, answer=result)
    monkeypatch.setattr(visitor_module, "carried_pass", lambda: "")
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert page.title[0].value == "Join the class"
    assert not page.button


def test_who_logs_in_is_a_visitor_and_a_teacher_by_their_address(store, monkeypatch):
    open_classroom(Classroom(hosts=("localhost",), login=True, teachers=("n@school.org",)))
    page = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    assert "login" in keys(page)
    told = {"is_logged_in": True, "iss": "https://id", "sub": "7", "name": "Emmy", "email": "N@school.org"}
    for changes, teacher in (({}, True), ({"email": "x@school.org"}, False), ({"email_verified": False}, False)):
        monkeypatch.setattr(visitor_module.st, "user", told | changes)
        found = visitor_module.visitor()
        assert (found.name, found.teacher, len(found.id)) == ("Emmy", teacher, 20)
    monkeypatch.setattr(visitor_module.st, "user", told | {"sub": "8"})
    assert visitor_module.visitor().id != found.id
    monkeypatch.setattr(visitor_module.st, "user", {"is_logged_in": False})
    assert visitor_module.visitor() is None


def answer(page, place):
    radio = page.radio(key="prediction-3-8")
    radio.set_value(radio.options[place]).run()


@pytest.mark.slow
def test_the_teacher_sees_who_is_where_and_what_they_answer(visit):
    answer(visit("ada", "8_Learn.py", lesson="3"), 0)
    bob = visit("bob", "8_Learn.py", lesson="3")
    answer(bob, 0)
    answer(bob, 2)
    teacher = visit("teacher", "8_Learn.py", lesson="3")
    table = teacher.dataframe[0].value
    assert list(table["Name"]) == ["Ada", "Bob"]
    assert list(table["Lesson"]) == ["3", "3"]
    assert "2 answered" in texts(teacher)
    bars = next(part.proto.body for part in teacher.get("html") if "zs-answers" in part.proto.body)
    assert "1 say Fewer than 20 %; 0 say 20 to 80 %; 1 say More than 80 %" in bars
    assert not bob.dataframe
    assert not keys(bob) & {"lead-run", "lead-lesson", "clear-answers"}
    teacher.button(key="clear-answers").click().run()
    assert "0 answered" in texts(teacher.run())


@pytest.mark.slow
def test_run_it_for_all_is_one_run_on_everybodys_page(visit, carry, store):
    ada = visit("ada", "7_Runs.py")
    teacher = visit("teacher", "8_Learn.py", lesson="3", epsilon="16")
    teacher.button(key="lead-run").click().run()
    assert not teacher.exception
    (job,) = store.latest()
    assert job.owner == TEACHER.id
    carry("ada")
    ada.run()
    assert ada.title[0].value == "Learn"
    assert "What proxies are" in texts(ada)
    assert ada.select_slider(key="knob-3").value == "16"
    assert ada.query_params["job"] in (job.id, [job.id])
    assert "is somebody else's" in texts(ada)
    ada = ada.switch_page("pages/7_Runs.py").run()
    assert ada.title[0].value == "Runs", "who goes on is not fetched back"
    late = visit("bob", "7_Runs.py")
    assert late.title[0].value == "Runs", "who comes later is not led to what was before"
    teacher_again = visit("teacher", "8_Learn.py", lesson="3", epsilon="16", job=job.id)
    teacher_again.button(key="lead-run").click().run()
    assert len(store.latest()) == 1, "the run that is there is opened"
    teacher_again.button(key="lead-open").click().run()
    carry("bob")
    assert late.run().title[0].value == "Forget"


def test_a_visitor_leads_nobody(visit, carry):
    from zspag_core.errors import ForbiddenError

    visit("ada", "8_Learn.py")
    with pytest.raises(ForbiddenError):
        presence().lead(ADA, {"page": "app.py"})
    assert presence().notice("open") is None
    assert OPENED


@pytest.mark.slow
def test_presenter_mode_is_one_panel_in_large_type(visit, graded, answered):
    job = graded
    forget = visit("ada", "2_Forget.py", job=job.id, present="1")
    assert not forget.checkbox
    assert "go" not in keys(forget)
    assert any("font-size: 23px" in part.proto.body for part in forget.get("html"))
    results = visit("ada", "5_Results.py", job=job.id, present="1")
    assert results.get("metric")
    assert not results.tabs
    learn = visit("teacher", "8_Learn.py", lesson="3", present="1")
    assert not learn.radio
    assert "lead-run" not in keys(learn)
    assert "0 answered" in texts(learn)
    learn.button(key="icon-present").click().run()
    assert learn.radio
    assert "present" not in learn.query_params


@pytest.mark.slow
def test_who_loses_runs_to_a_full_disk_is_told_before_and_can_pin_them(visit, finish, store, run_config, result):
    job, other = (
        finish("unlearn", run_config, answer=result),
        finish("unlearn", run_config, answer=result, owner=BOB.id),
    )
    presence().tell("cleaning", {"runs": [job.id, other.id], "due": 1_000_000_000.0})
    page = visit("ada", "7_Runs.py", job=job.id)
    assert f"your run {job.number} will be deleted. Pin what shall stay" in texts(page)
    assert f"your run {other.number} will" in texts(visit("bob", ""))
    assert "will be deleted" not in texts(visit("teacher", ""))
    page.button(key=f"pin-{job.id}").click().run()
    assert store.require(job.id).pinned is not None
    assert "will be deleted" not in texts(page)


def test_many_runs_that_go_are_counted(finish, run_config):
    from ui.shell.class_bar import going_words

    jobs = [finish("unlearn", run_config) for _ in range(8)]
    assert "your runs 1, 2, 3, 4, 5, 6 and 2 more will be deleted" in going_words(jobs, 0.0)
