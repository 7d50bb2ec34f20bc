from __future__ import annotations

import csv
import io
import json
import os
import shlex
import signal
import sys
import threading
import time
from dataclasses import replace

import pytest

import zspag_core.jobs.worker  # noqa: F401 - SQLAlchemy must be whole before a thread asks it
from zspag_core.cli import main, parse
from zspag_core.commands.tune import _absolute, _absolute_source, _Watcher
from zspag_core.commands.unlearn import config_of
from zspag_core.jobs import JobStore, Lane, State
from zspag_core.runs.config import RunConfig
from zspag_core.runs.execute import execute
from zspag_core.runs.prepare import prepare
from zspag_core.tuning import queue
from zspag_core.tuning.space import Axis
from zspag_core.tuning.sweep import Sweep


@pytest.fixture
def tune(digits_checkpoint, tmp_path, monkeypatch):
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path))
    monkeypatch.delenv("ZSPAG_DATABASE_URL", raising=False)

    def tune(*extra, space=("n_adv=8", "label_mode=posterior,second_best"), data="digits"):
        words = ["tune", "--data", data, "--checkpoint", str(digits_checkpoint), "--forget", "3", "--device", "cpu"]
        words += ["--set", "epochs=1", "--set", "energy=0.8", "--set", "epsilon=0.3"]
        return main([*words, *(part for one in space for part in ("--space", one)), *extra])

    return tune


def everything_of(prepared):
    """Return all that a prepared run is asked, settings as the method reads them."""
    return replace(prepared.config, settings={}), prepared.method


@pytest.mark.slow
def test_a_sweep_from_end_to_end_and_again(tune, tmp_path, capsys, digits_checkpoint):
    table, names = tmp_path / "trials.csv", tmp_path / "names.txt"
    names.write_text("\n".join(map(str, range(10))))
    assert tune("--csv", str(table), "--classes", str(names)) == 0
    said = capsys.readouterr()
    assert "2 trials of n_adv=8, label_mode=posterior,second_best" in said.err
    assert "trial 1 begins: n_adv 8, label_mode posterior" in said.err
    assert "trial 2 (2/2): n_adv 8, label_mode second_best: retain_free" in said.err
    assert "every point of the space has been tried" in said.err
    assert "http://localhost:8501/Tune?sweep=" in said.err
    assert "* for grading only" in said.out
    assert "best by retain_free: trial" in said.out
    with table.open() as lines:
        trials = list(csv.DictReader(lines))
    assert [trial["label_mode"] for trial in trials] == ["posterior", "second_best"]

    assert tune("--json", "--classes", str(names)) == 0  # the same sweep: nothing is computed again
    said = capsys.readouterr()
    assert "this sweep is known" in said.err
    found = json.loads(said.out)
    store = JobStore()
    runs = store.latest(Lane.TRIALS)
    store.close()
    assert {run.id for run in runs} == {run for trial in found["trials"] for run in trial["jobs"]}

    (best,) = (run for run in runs if run.id == found["trials"][found["best"][0] - 1]["jobs"][0])
    asked = config_of(parse(shlex.split(found["command"])[3:]))
    assert f"--classes {names}" in found["command"]
    assert everything_of(prepare(asked)) == everything_of(prepare(RunConfig.from_job(best.config)))

    settings = {"epochs": 1, "energy": 0.8, "epsilon": 0.3, "n_adv": 8, "label_mode": "second_best"}
    alone = RunConfig("digits", str(digits_checkpoint), (3,), settings=settings, device="cpu", relearning=False)
    execute(alone, tmp_path / "alone")
    same = next(run for run in runs if run.config["settings"]["label_mode"] == "second_best")
    assert (same.folder / "model.safetensors").read_bytes() == (tmp_path / "alone" / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_finished_and_the_same_command_goes_on(tune, capsys):
    space = ("n_adv=8", "learning_rate=0.01,0.03,0.1,0.2")
    store = JobStore()

    def interrupt():
        while not any(run.state == State.DONE for run in store.latest(Lane.TRIALS)):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    assert tune(space=space) == 130
    thread.join()
    finished = {run.id for run in store.latest(Lane.TRIALS) if run.state == State.DONE}
    assert "interrupted after" in capsys.readouterr().err
    assert tune("--json", space=space) == 0
    found = json.loads(capsys.readouterr().out)
    assert [trial["number"] for trial in found["trials"]] == [1, 2, 3, 4]
    assert finished <= {trial["jobs"][0] for trial in found["trials"]}
    assert len(store.latest(Lane.TRIALS)) == 4
    store.close()


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (("--trials", "0"), "--trials: expected a whole number above 0"),
        (("--minutes", "x"), "--minutes: expected a number"),
        (("--seeds", "a"), "--seeds: expected whole numbers"),
        (("--objective", "luck"), "--objective: expected one or more of"),
        (("--sampler", "magic"), "--sampler: expected one of"),
        (("--workers", "0"), "--workers: expected"),
        (("--set", "n_adv=3"), "set by --set"),
        (("--preset", "nothing"), "--preset: expected one of"),
        (("--model", "python:mine.py:Net"), "--model: the trials of a sweep wait in the queue"),
    ],
)
def test_bad_requests_get_one_line_and_nothing_is_begun(tune, tmp_path, capsys, extra, words):
    assert tune(*extra) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "zspag.db").exists()


def test_what_does_not_fit_is_refused_before_anything_is_queued(tune, tmp_path, capsys):
    assert tune(data=str(tmp_path / "nothing")) == 2
    assert not (tmp_path / "zspag.db").exists()


def test_graded_objectives_are_refused_where_nothing_can_be_graded(tune, tmp_path, small_digits, capsys):
    import numpy as np

    chosen = small_digits.train.of_classes((3,))
    np.savez(tmp_path / "threes.npz", x=chosen.images.squeeze(1).numpy(), y=np.array(["3"] * len(chosen)))
    assert tune("--objective", "acc_rt", data=str(tmp_path / "threes.npz")) == 2
    assert "acc_rt cannot be graded" in capsys.readouterr().err


class Screen(io.StringIO):
    """A terminal of a person's."""

    def isatty(self):
        return True


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path))
    monkeypatch.delenv("ZSPAG_DATABASE_URL", raising=False)
    opened = JobStore()
    yield opened
    opened.close()


@pytest.fixture
def sweep(digits_checkpoint):
    config = RunConfig("digits", str(digits_checkpoint), (3,), device="cpu", relearning=False)
    space = (Axis(name="n_adv", values=(4, 8)), Axis(name="label_mode", values=("posterior", "second_best")))
    return Sweep(run=config.to_dict(), space=space, trials=4)


@pytest.fixture
def watched(store, sweep, monkeypatch):
    """Return a function that watches a sweep of which one run is being carried out, its words going to a file."""
    job = queue.submit_sweep(store, sweep)
    point = {"n_adv": 4, "label_mode": "posterior"}
    run = queue.obtain(store, job, sweep.config_at(point, 0))
    queue.tell_begun(store, job, {"number": 1, "point": point, "jobs": [run.id]})
    store.heartbeats.beat("worker", "worker", (Lane.TRIALS,), "cpu")
    claimed = store.claim(Lane.TRIALS, "worker", "cpu")

    def watched(told):
        monkeypatch.setattr(sys, "stderr", told)
        return _Watcher(store, job, sweep), claimed

    return watched


def test_a_terminal_is_told_which_trial_begins_and_where_it_is(watched, store):
    watcher, run = watched(screen := Screen())
    watcher._look()
    assert screen.getvalue() == "trial 1 begins: n_adv 4, label_mode posterior\ntrial 1: starts"
    store.advance(run, {"stage": "proxies", "done": 1200, "total": 3000})
    watcher._look()
    assert screen.getvalue().endswith(f"\r{' ' * len('trial 1: starts')}\rtrial 1: proxies 1,200 of 3,000")
    store.advance(run, {"stage": "unlearn", "done": 9, "total": 60})
    store.record(run, queue.EPOCH, {"epoch": 3, "total": 20})
    watcher._look()
    assert screen.getvalue().endswith("\rtrial 1: unlearn, epoch 3 of 20")
    store.finish(run, State.DONE)
    watcher._look()
    assert screen.getvalue().count("begins") == 1
    assert screen.getvalue().endswith(" \r"), "nothing is left of the last line"


def test_a_file_is_told_nothing_that_is_written_over(watched):
    watcher, _ = watched(told := io.StringIO())
    watcher._look()
    assert told.getvalue() == "trial 1 begins: n_adv 4, label_mode posterior\n"


def test_places_are_told_such_that_a_worker_in_another_folder_finds_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    assert _absolute("mine") == str(tmp_path / "mine")
    assert _absolute("digits") == "digits"
    assert _absolute_source("hf:mine") == f"hf:{tmp_path / 'mine'}"
    assert (_absolute_source("timm:mine"), _absolute_source("")) == ("timm:mine", "")
