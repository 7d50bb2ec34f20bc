"""Who carries out what commands queue."""

from __future__ import annotations

import time
from argparse import Namespace
from contextlib import contextmanager

import pytest

from tests.test_cli import call
from zspag_core.commands import serving
from zspag_core.jobs import JobStore, Lane, State
from zspag_core.jobs.heartbeats import WORKER


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("ZSPAG_HOME", str(tmp_path))
    return JobStore()


@pytest.fixture
def cluster(monkeypatch):
    """A cluster that cannot carry out anything; it holds what it was asked for."""
    made = []

    class Broken:
        def __init__(self, *_, complain, **given):
            made.append(given)
            self.complain, self.trouble = complain, "the cluster's workers cannot carry out jobs: no disk"

        def __enter__(self):
            self.complain(self.trouble)
            return self

        def __exit__(self, *_):
            pass

    @contextmanager
    def client(address, workers):
        made.append((address, workers))
        yield None

    monkeypatch.setattr("zspag_core.jobs.cluster.open_client", client)
    monkeypatch.setattr("zspag_core.jobs.cluster.Cluster", Broken)
    return made


@pytest.mark.parametrize(("give_up", "state"), [(True, State.CANCELLED), (False, State.QUEUED)])
def test_where_the_cluster_is_of_no_use_it_is_said_and_nobody_waits_for_it(store, cluster, capsys, give_up, state):
    job = store.submit("engine", {}, lane=Lane.TRIALS)
    asked = Namespace(cluster="127.0.0.1:1", gpu="0.5", device="cuda")
    with serving.on_cluster(store, (Lane.TRIALS,), 3, asked, give_up=give_up) as served:
        assert served.trouble == "the cluster's workers cannot carry out jobs: no disk"
    assert capsys.readouterr().err == f"{served.trouble}\n"
    assert store.require(job.id).state == state
    assert cluster[0] == ("127.0.0.1:1", 3)
    assert (cluster[1]["gpu"], cluster[1]["device"]) == (0.5, "cuda")


def test_a_worker_hands_runs_and_trials_to_a_cluster_until_that_breaks(store, cluster, capfd):
    job = store.submit("engine", {}, lane=Lane.RUNS)
    assert call(["worker", "--cluster", "127.0.0.1:1", "--device", "cuda"]) == 1
    assert cluster[1]["lanes"] == ("runs", "trials")
    assert "no disk" in capfd.readouterr().err
    assert store.require(job.id).state == State.QUEUED  # a worker elsewhere may still take it


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "culprit"),
    [
        (["--cluster", "local"], "--cluster: expected the address of a scheduler"),
        (["--cluster", "tls://host:1", "--once", "job"], "and no --once"),
        (["--lane", "lunch"], "--lane: expected one of runs, interactive"),
        (["--cluster", "127.0.0.1:1", "--gpu", "2"], "--gpu: expected a share from 0 to 1, got '2'"),
        (["--cluster", "tcp://example.org:1"], "expected tls://example.org:PORT"),
    ],
)
def test_bad_use_is_answered_with_one_line(store, capfd, arguments, culprit):
    assert call(["worker", *arguments]) == 2
    said = capfd.readouterr().err
    assert culprit in said
    assert said.count("\n") == 1


def test_a_cluster_elsewhere_needs_no_such_device_here():
    assert serving.own_device(Namespace(cluster="tls://host:1", device="cuda:7")).type in {"cpu", "cuda", "mps"}


def test_lanes_are_served_while_the_block_lasts(store):
    with serving.this_process(store, ("rows-1",), "cpu"):
        began = time.monotonic()
        while not (alive := store.heartbeats.alive(WORKER)) and time.monotonic() - began < 20:
            time.sleep(0.02)
        assert [beat.lanes for beat in alive] == [("rows-1",)]
    assert store.heartbeats.alive(WORKER) == []
