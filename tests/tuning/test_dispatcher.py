"""The dispatcher beside a worker that answers at once: nothing is lost, nothing is done twice."""

from __future__ import annotations

import re
import threading
from dataclasses import replace

import optuna
import pytest

from zspag_core.errors import Cancelled, UnlearningError
from zspag_core.jobs import Lane, State
from zspag_core.jobs.schema import database_url
from zspag_core.jobs.worker import Worker
from zspag_core.progress import Reporter
from zspag_core.tuning import dispatcher, queue
from zspag_core.tuning.dispatcher import dispatch
from zspag_core.tuning.space import Axis
from zspag_core.tuning.study import Study


@pytest.fixture
def served(store, answer, monkeypatch):
    """Serve trials with answers made up; return what was carried out."""
    monkeypatch.setattr(dispatcher, "LOOK_SECONDS", 0.01)
    done = []

    def task(job, _report):
        done.append(dict(job.config["settings"]) | {"seed": job.config["seed"]})
        settings = job.config["settings"]
        if settings["n_adv"] == 666:
            raise UnlearningError("the loss became nan")
        acc_rt = 90.0 + settings["n_adv"] / 10 + job.config["seed"]
        return answer | {"after": answer["after"] | {"acc_rt": acc_rt, "acc_ut": 0.0}}

    worker = Worker(store, (Lane.TRIALS,), "cpu", find=lambda _kind: task)
    thread = threading.Thread(target=worker.serve, daemon=True)
    thread.start()
    yield done
    worker.stopping.set()
    thread.join()


class Until(Reporter):
    """Cancels once so many trials have ended."""

    def __init__(self, trials):
        self.trials = trials

    def progress(self, stage, done, total, **figures):
        if done >= self.trials:
            raise Cancelled("enough")


def studied(sweep_job):
    loaded = optuna.load_study(study_name=sweep_job.id, storage=database_url())
    try:
        return loaded.trials
    finally:
        loaded._storage._backend.engine.dispose()


@pytest.mark.slow
def test_a_knob_of_which_one_value_was_tried_is_not_ranked(store, sweep, served, monkeypatch):
    monkeypatch.setattr("zspag_core.tuning.study.LEAST", 1)
    first = dispatch(queue.submit_sweep(store, replace(sweep, objectives=("acc_rt",), trials=2), {}), Reporter())
    assert {row["point"]["n_adv"] for row in first["trials"]} == {4}
    assert set(first["importance"]) == {"label_mode"}


@pytest.mark.slow
def test_every_point_is_tried_once_and_told(store, sweep, served):
    job = queue.submit_sweep(store, replace(sweep, objectives=("acc_rt",)), {"class_names": ["3"]})
    found = dispatch(job, Reporter())
    assert len(served) == 4
    assert [row["point"]["n_adv"] for row in found["trials"]] == [4, 4, 8, 8]
    assert found["trials"][found["best"][0] - 1]["figures"]["acc_rt"] == 90.8
    assert set(found["importance"]) <= {"n_adv", "label_mode"}
    assert queue.rows_of(store, job.id) == found["trials"]
    runs = store.latest(Lane.TRIALS, comparison=job.id)
    assert {run.id for run in runs} == {run for row in found["trials"] for run in row["jobs"]}
    assert [trial.values for trial in studied(job)] == [[90.4], [90.4], [90.8], [90.8]]


@pytest.mark.slow
def test_after_a_stop_it_goes_on_and_does_nothing_twice(store, sweep, served):
    job = queue.submit_sweep(store, sweep)
    with pytest.raises(Cancelled):
        dispatch(job, Until(2))
    begun = len(served)
    job = queue.go_on(store, replace_state(store, job), trials=4)
    found = dispatch(job, Reporter())
    assert [row["number"] for row in found["trials"]] == [1, 2, 3, 4]
    assert begun <= 4
    assert len({tuple(sorted(one.items())) for one in served}) == 4
    assert len(queue.rows_of(store, job.id)) == 4


def replace_state(store, job):
    """End a sweep's job, as its worker would have."""
    store.cancel(job.id)
    return store.require(job.id)


@pytest.mark.slow
def test_a_dispatcher_that_died_between_asking_and_queueing_loses_no_point(store, sweep, served):
    job = queue.submit_sweep(store, sweep)
    study = Study(job.id, sweep, database_url())
    number, point = study.ask()
    study.close()
    found = dispatch(job, Reporter())
    assert (found["trials"][number - 1]["point"], len(found["trials"]), len(served)) == (point, 4, 4)


@pytest.mark.slow
def test_a_run_that_is_known_is_not_carried_out_again(store, sweep, served):
    dispatch(queue.submit_sweep(store, sweep), Reporter())
    other = queue.submit_sweep(store, replace(sweep, objectives=("acc_ut",)))
    assert len(dispatch(other, Reporter())["trials"]) == 4
    assert len(served) == 4


@pytest.mark.slow
def test_seeds_are_repeats_and_their_spread_is_told(store, sweep, served):
    job = queue.submit_sweep(store, replace(sweep, trials=1, seeds=(0, 2)))
    (row,) = dispatch(job, Reporter())["trials"]
    assert len(served) == 2
    assert row["figures"]["acc_rt"] == pytest.approx(91.4)
    assert row["spread"]["acc_rt"] == pytest.approx(2**0.5)


@pytest.mark.slow
def test_a_trial_that_fails_says_why_and_the_sweep_goes_on(store, sweep, served):
    space = (replace(sweep.space[0], values=(666, 8)),)
    found = dispatch(queue.submit_sweep(store, replace(sweep, space=space, trials=2)), Reporter())
    assert [row["state"] for row in found["trials"]] == ["failed", "done"]
    assert found["trials"][0]["error"] == "the loss became nan"
    assert found["best"] == [2]


@pytest.mark.slow
def test_a_sampler_that_learns_and_several_objectives(store, sweep, served):
    space = (Axis(name="n_adv", low=4, high=4000, whole=True), Axis(name="learning_rate", low=0.1, high=0.2))
    tpe = replace(sweep, sampler="tpe", trials=5, space=space)
    assert len(dispatch(queue.submit_sweep(store, tpe), Reporter())["trials"]) == 5
    several = replace(sweep, sampler="nsga2", trials=4, objectives=("acc_rt", "forgotten"))
    found = dispatch(queue.submit_sweep(store, several), Reporter())
    assert found["best"]


@pytest.mark.slow
def test_a_space_that_is_used_up_ends_the_sweep(store, sweep, served):
    asked = replace(sweep, sampler="random", trials=50, objectives=("acc_rt",))
    found = dispatch(queue.submit_sweep(store, asked), Reporter())
    tried = [(row["point"]["n_adv"], row["point"]["label_mode"]) for row in found["trials"]]
    assert sorted(tried) == [(n, mode) for n in (4, 8) for mode in ("posterior", "second_best")]
    assert len(served) == 4
    assert [row["number"] for row in found["trials"]] == [1, 2, 3, 4]


@pytest.mark.slow
def test_a_sweep_that_repeated_points_goes_on_with_those_that_are_left(store, sweep, served):
    asked = replace(sweep, sampler="random", trials=5, objectives=("acc_rt",))
    job = queue.submit_sweep(store, asked)
    study = Study(job.id, asked, database_url())
    for number, mode in enumerate(("posterior", "posterior", "second_best")):  # as earlier versions did
        point = {"n_adv": 4, "label_mode": mode}
        study._study.enqueue_trial(point)
        study.ask()
        told = {"number": number, "point": point, "state": "done", "figures": {"acc_rt": 90.4}, "jobs": []}
        study.tell(number + 1, told)
    study.close()
    found = dispatch(job, Reporter())
    assert [row["number"] for row in found["trials"]] == [0, 1, 2, 4, 5]
    assert sorted((one["n_adv"], one["label_mode"]) for one in served) == [(8, "posterior"), (8, "second_best")]


def test_no_point_is_begun_when_the_time_is_over(store, sweep, served):
    found = dispatch(queue.submit_sweep(store, replace(sweep, minutes=1e-9)), Reporter())
    assert found["trials"] == []


@pytest.mark.slow
def test_a_sweep_is_found_again_whatever_its_budget_and_can_be_extended(store, sweep, served):
    job = queue.submit_sweep(store, replace(sweep, sampler="qmc", trials=2))
    dispatch(job, Reporter())
    more = replace(sweep, sampler="qmc", trials=3)
    assert queue.find_sweep(store, more).id == job.id
    assert queue.find_sweep(store, sweep) is None
    again = queue.go_on(store, replace_state(store, job), trials=3)
    assert (again.state, again.config["trials"]) == (State.QUEUED, 3)
    assert len(dispatch(again, Reporter())["trials"]) == 3


def test_a_sweep_under_way_is_not_begun_again(store, sweep):
    job = queue.submit_sweep(store, sweep)
    assert queue.go_on(store, job, trials=99).config["trials"] == 4


@pytest.mark.slow
@pytest.mark.parametrize(("losses", "ends"), [(1, "done"), (3, "done"), (4, "failed")])
def test_a_trial_whose_worker_was_lost_is_begun_again_but_not_for_ever(store, sweep, answer, monkeypatch, losses, ends):
    monkeypatch.setattr(dispatcher, "LOOK_SECONDS", 0.01)
    begun = []

    def task(job, _report):
        begun.append(job.id)
        if len(begun) <= losses:
            store.finish(job, State.INTERRUPTED, error="The process that computed this run ended before the run did.")
        return answer

    worker = Worker(store, (Lane.TRIALS,), "cpu", find=lambda _kind: task)
    thread = threading.Thread(target=worker.serve, daemon=True)
    thread.start()
    try:
        found = dispatch(queue.submit_sweep(store, replace(sweep, trials=1)), Reporter())
    finally:
        worker.stopping.set()
        thread.join()
    assert [row["state"] for row in found["trials"]] == [ends]
    assert len(set(begun)) == 1
    assert len(begun) == min(losses, dispatcher.RETRIES) + 1


@pytest.mark.slow
def test_a_trial_that_is_clearly_lost_is_stopped(store, sweep, answer, monkeypatch):
    monkeypatch.setattr(dispatcher, "LOOK_SECONDS", 0.01)
    values = (4, 5, 6, 7, 8)
    space = (Axis(name="n_adv", values=values),)

    def task(job, report):
        lost = job.config["settings"]["n_adv"] == values[-1]
        for epoch in range(1, 1000 if lost else 3):
            report.epoch(epoch, 4, None, proxy_agreement=100.0, forget_accuracy=80.0 if lost else 2.0)
            report.progress("unlearn", epoch, 4)
        return answer

    worker = Worker(store, (Lane.TRIALS,), "cpu", find=lambda _kind: task)
    thread = threading.Thread(target=worker.serve, daemon=True)
    thread.start()
    job = queue.submit_sweep(store, replace(sweep, space=space, trials=5, prune=True))
    found = dispatch(job, Reporter())
    worker.stopping.set()
    thread.join()
    assert [row["state"] for row in found["trials"]] == ["done"] * 4 + ["pruned"]
    assert re.fullmatch(r"clearly lost after epoch \d+ of 4: stopped", found["trials"][-1]["error"])
    assert store.require(found["trials"][-1]["jobs"][0]).state == State.CANCELLED
    states = [trial.state for trial in studied(job)]
    assert states == [optuna.trial.TrialState.COMPLETE] * 4 + [optuna.trial.TrialState.PRUNED]
