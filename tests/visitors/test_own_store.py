from __future__ import annotations

import pytest

from zspag_core.errors import ForbiddenError, LimitError
from zspag_core.jobs import Lane, State
from zspag_core.jobs.records import AHEAD, SPARE
from zspag_core.tuning import queue
from zspag_core.visitors.belongings import add_owner, trained, uploads

DATABASES = ("sqlite", "postgres")

CHANGES = {
    "cancel": lambda store, job: store.cancel(job),
    "pause": lambda store, job: store.pause(job),
    "unpause": lambda store, job: store.unpause(job),
    "step": lambda store, job: store.step(job),
    "rename": lambda store, job: store.rename(job, "mine"),
    "annotate": lambda store, job: store.annotate(job, "mine"),
    "delete": lambda store, job: store.delete(job),
    "restore": lambda store, job: store.restore(job),
    "resume": lambda store, job: store.resume(job),
    "pin": lambda store, job: store.pin(job, pinned=True),
    "replace_answer": lambda store, job: store.replace_answer(job, {}, "x"),
    "go_on": lambda store, job: queue.go_on(store, store.require(job), trials=9),
    "grade": lambda store, job: store.submit("grade", {"run": job}),
    "depth": lambda store, job: store.submit("depth", {"run": job}),
    "depth of one against another": lambda store, job: store.submit("depth", {"run": "", "retrained": job}),
    "relearning": lambda store, job: store.submit("relearning", {"run": job}),
}


def put(path, size=10):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"0" * size)
    return path


@pytest.mark.slow
def test_lists_hold_ones_own_jobs_only(store, ada, bob):
    mine, theirs = ada.submit("unlearn", {}, comparison="c1"), bob.submit("unlearn", {}, comparison="c2")
    before = store.submit("unlearn", {"made": "without sharing"})
    assert (mine.owner, theirs.owner, before.owner) == ("a" * 20, "b" * 20, "")
    assert [job.id for job in ada.latest()] == [mine.id]
    assert (ada.comparisons(), bob.comparisons()) == (["c1"], ["c2"])
    assert ada.latest(comparison="c2") == []
    assert len(store.latest()) == 3


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_nobody_changes_anothers_run(store, ada, bob, run, change):
    job = ada.submit("unlearn", {"forget": [3]})
    if change in {"resume", "go_on"}:
        run(State.FAILED, error="x")
    before = store.require(job.id)
    with pytest.raises(ForbiddenError):
        CHANGES[change](bob, job.id)
    assert store.require(job.id) == before
    assert len(store.latest()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("change", ["cancel", "rename", "annotate", "delete", "pin"])
def test_everybody_changes_their_own(ada, change):
    job = ada.submit("unlearn", {"forget": [3]})
    CHANGES[change](ada, job.id)
    assert ada.require(job.id) != job


def test_a_shared_link_opens_a_run_to_look_at_until_its_owner_deletes_it(ada, bob, store):
    job = ada.submit("unlearn", {})
    assert bob.require(job.id).id == job.id
    assert not bob.is_own(job)
    assert bob.submit("map", {"run": job.id, "kind": "pca"}, lane=Lane.INTERACTIVE).owner == "b" * 20
    ada.delete(job.id)
    assert bob.get(job.id) is None
    assert ada.get(job.id) is not None


@pytest.mark.slow
def test_a_run_made_without_sharing_is_nobodys_to_change(store, ada):
    job = store.submit("unlearn", {})
    with pytest.raises(ForbiddenError, match="somebody else"):
        ada.delete(job.id)


def test_nobody_asks_in_anothers_name(ada):
    with pytest.raises(ForbiddenError, match="another's name"):
        ada.submit("unlearn", {}, owner="b" * 20)


def test_an_equal_finished_run_is_found_whoever_made_it(ada, bob, run):
    job = ada.submit("unlearn", {"forget": [3]})
    assert bob.recall("unlearn", {"forget": [3]}) is None, "it is not finished"
    run(answer={"after": 1})
    assert bob.recall("unlearn", {"forget": [3]}).id == job.id
    own = bob.submit("unlearn", {"forget": [3]})
    assert bob.recall("unlearn", {"forget": [3]}).id == own.id, "one's own goes first"


def test_a_failure_of_anothers_is_nobody_elses(ada, bob, run):
    ada.submit("preview", {"epsilon": 1}, lane=Lane.INTERACTIVE)
    assert bob.recall("preview", {"epsilon": 1}) is not None, "its answer is on its way"
    run(State.FAILED, Lane.INTERACTIVE, error="x")
    assert bob.recall("preview", {"epsilon": 1}) is None


def test_a_file_that_a_task_makes_belongs_to_who_asked(ada, bob, run):
    ada.submit("adopt", {"told": {}}, lane=Lane.INTERACTIVE)
    run(lane=Lane.INTERACTIVE, answer={"checkpoint": "x"})
    assert bob.recall("adopt", {"told": {}}) is None


def test_uploads_are_used_by_those_who_brought_them(ada, bob):
    upload = put(uploads() / "ab12.pt")
    add_owner(upload, "a" * 20, "mine.pt")
    assert (ada.own_uploads(), bob.own_uploads()) == ([upload], [])
    assert ada.submit("unlearn", {"checkpoint": str(upload)})
    hidden = f"{uploads()}/../uploads/./ab12.pt"
    for config in ({"checkpoint": str(upload)}, {"data": hidden}, {"deep": [{"x": str(upload)}]}):
        with pytest.raises(ForbiddenError, match="belongs to somebody else"):
            bob.submit("inspect_data", config, lane=Lane.INTERACTIVE)
    add_owner(upload, "b" * 20, "too.pt")
    assert bob.submit("unlearn", {"checkpoint": str(upload)})
    assert ada.own_uploads() == bob.own_uploads() == [upload]


def test_a_link_on_the_server_is_no_way_round(bob, tmp_path):
    upload = put(uploads() / "ab12.pt")
    (tmp_path / "link.pt").symlink_to(upload)
    with pytest.raises(ForbiddenError, match="belongs to somebody else"):
        bob.submit("unlearn", {"checkpoint": str(tmp_path / "link.pt")})


def test_trained_models_and_run_folders_are_their_owners(ada, bob, run, store):
    ada.submit("train", {"name": "hers"})
    job = run(answer={})
    model, made = put(trained() / "hers.safetensors"), put(job.folder / "model.safetensors")
    database = put(uploads().parent / "zspag.db-copy")
    assert (ada.own_models(), bob.own_models()) == ([model], [])
    assert ada.may_use(model)
    assert ada.may_use(made)
    assert not any(bob.may_use(path) for path in (model, made, database, uploads().parent))
    assert not ada.may_use(database)
    with pytest.raises(ForbiddenError, match="model named hers"):
        bob.submit("train", {"name": "hers"})
    assert ada.submit("train", {"name": "hers"})


def test_a_shipped_model_is_everybodys(ada, tmp_path_factory):
    assert ada.submit("unlearn", {"checkpoint": str(tmp_path_factory.mktemp("assets") / "digits.safetensors")})


def test_a_shared_runs_map_may_be_drawn_though_its_model_is_anothers(ada, bob):
    upload = put(uploads() / "ab12.pt")
    add_owner(upload, "a" * 20, "mine.pt")
    job = ada.submit("unlearn", {"checkpoint": str(upload)})
    assert bob.submit("map", {"run": job.id, "checkpoint": str(upload)}, lane=Lane.INTERACTIVE)
    with pytest.raises(ForbiddenError):
        bob.submit("map", {"run": "none", "checkpoint": str(upload)}, lane=Lane.INTERACTIVE)


def test_who_has_as_many_runs_waiting_as_there_may_be_is_told_so(ada, bob, run):
    for _ in range(3):
        ada.submit("unlearn", {})
    with pytest.raises(LimitError, match="each may have 3 runs waiting; you have 3, and ask for one more") as raised:
        ada.submit("unlearn", {})
    assert "\n" not in str(raised.value)
    assert bob.submit("unlearn", {}), "that of others does not count"
    assert ada.submit("preview", {}, lane=Lane.INTERACTIVE), "an open page is answered"
    run()
    assert ada.submit("unlearn", {}), "one has begun"


def test_what_is_wished_for_ahead_is_no_waiting_run_and_of_ones_own_things_only(ada, bob):
    for _ in range(5):
        ada.submit(AHEAD, {"forget": [3]}, lane=SPARE)
    assert ada.submit("unlearn", {}).state == State.QUEUED
    upload = put(uploads() / "mine.npz")
    add_owner(upload, bob.visitor.id, "mine.npz")
    with pytest.raises(ForbiddenError):
        ada.submit(AHEAD, {"data": str(upload)}, lane=SPARE)


def test_a_comparison_is_refused_as_a_whole(ada):
    ada.check_room(3)
    with pytest.raises(LimitError, match="ask for 4 more"):
        ada.check_room(4)
    assert ada.latest() == []


def test_taking_up_what_ended_counts_as_waiting(ada, run):
    job = ada.submit("unlearn", {})
    run(State.FAILED, error="x")
    for _ in range(3):
        ada.submit("unlearn", {})
    with pytest.raises(LimitError):
        ada.resume(job.id)
    assert ada.require(job.id).state == State.FAILED


@pytest.mark.slow
def test_who_has_filled_their_room_is_told_to_delete(ada, run):
    job = ada.submit("unlearn", {})
    run()
    put(job.folder / "model.safetensors", 1_200_000)
    assert ada.used_mb() == pytest.approx(1.2)
    with pytest.raises(LimitError, match=r"each may keep 1 MB; your runs, models and uploads take 1 MB. Delete"):
        ada.submit("unlearn", {})
    ada.delete(job.id)
    assert ada.submit("unlearn", {})


@pytest.mark.slow
def test_who_uploads_much_is_told_to_wait(ada, bob):
    ada.check_upload(600_000)
    ada.check_upload(700_000)
    with pytest.raises(LimitError, match="each may upload 2 MB an hour; you have brought 1 MB, and this is 1 MB"):
        ada.check_upload(900_000)
    bob.check_upload(900_000)
    with pytest.raises(LimitError, match=r"may keep 1 MB; .* and this is 1 MB more"):
        bob.check_upload(1_090_000)


@pytest.mark.slow
def test_a_sweeps_trials_are_its_owners_and_hang_on_nobody_elses(store, ada, bob, run):
    hers, his = ada.submit("tune", {}, lane=Lane.SWEEPS), bob.submit("tune", {}, lane=Lane.SWEEPS)
    config = {"checkpoint": "none", "data": "digits", "device": "auto"}
    first = queue.obtain(store, hers, config)
    assert first.owner == hers.owner
    assert queue.obtain(store, hers, config).id == first.id
    second = queue.obtain(store, his, config)
    assert (second.owner, second.id == first.id) == (his.owner, False), "hers may be cancelled"
    done = queue.obtain(store, hers, config | {"seed": 1})
    store.cancel(first.id)
    store.cancel(second.id)
    assert run(lane=Lane.TRIALS, answer={}).id == done.id
    assert queue.obtain(store, his, config | {"seed": 1}).id == done.id, "what is finished is taken"
