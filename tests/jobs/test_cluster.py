"""Jobs handed to a Dask cluster: a real local one, and one that is played to fail."""

from __future__ import annotations

import subprocess
import sys

import pytest

from zspag_core.errors import UsageError
from zspag_core.jobs import Lane, State
from zspag_core.jobs.cluster import PATIENCE, Cluster, carry_out, check_address, open_client
from zspag_core.jobs.heartbeats import WORKER


class Sent:
    """What Dask promises of a task."""

    def __init__(self):
        self.status = "pending"

    def done(self):
        return self.status != "pending"

    def exception(self):
        return RuntimeError("no module named zspag_core")


class Client:
    """A cluster of two threads that does nothing by itself."""

    def __init__(self):
        self.sent = []

    def nthreads(self):
        return {"tcp://a": 1, "tcp://b": 1}

    def submit(self, function, job, device, environment, *, key, resources):
        assert function is carry_out
        self.sent.append((job, device, environment, key, resources, Sent()))
        return self.sent[-1][-1]


@pytest.fixture
def client():
    return Client()


def test_waiting_jobs_are_sent_once_with_what_they_need(store, home, client):
    jobs = [store.submit("a", {}, lane=Lane.TRIALS).id for _ in range(2)]
    store.submit("b", {}, lane=Lane.RUNS)
    cluster = Cluster(store, client, device="cpu", gpu=0.5, environment={"OMP_NUM_THREADS": "3"})
    cluster.look()
    cluster.look()
    assert [job for job, *_ in client.sent] == jobs
    _, device, environment, key, resources, _ = client.sent[0]
    assert (device, resources) == ("cpu", {"GPU": 0.5})
    assert environment["ZSPAG_HOME"] == str(home.resolve())
    assert environment["ZSPAG_DATABASE_URL"].startswith("sqlite:///")
    assert environment["OMP_NUM_THREADS"] == "3"
    assert jobs[0] in key


def test_a_job_that_was_lost_and_queued_again_is_sent_again(store, client):
    job = store.submit("a", {}, lane=Lane.TRIALS)
    cluster = Cluster(store, client)
    cluster.look()
    store.heartbeats.beat("w", WORKER, (Lane.TRIALS,), "cpu")
    taken = store.claim(Lane.TRIALS, "w", "cpu", only=job.id)
    client.sent[0][-1].status = "error"  # the process was killed
    cluster.look()
    store.finish(taken, State.INTERRUPTED)
    store.resume(job.id)
    cluster.look()
    assert len({key for _, _, _, key, _, _ in client.sent}) == 2
    assert cluster.trouble == ""


def test_a_cluster_that_cannot_even_begin_is_given_up(store, client):
    said = []
    job = store.submit("a", {}, lane=Lane.TRIALS)
    cluster = Cluster(store, client, complain=said.append)
    for _ in range(PATIENCE):
        cluster.look()
        client.sent[-1][-1].status = "error"
    cluster.look()
    assert said == [cluster.trouble] == ["the cluster's workers cannot carry out jobs: no module named zspag_core"]
    assert len(client.sent) == PATIENCE
    assert store.require(job.id).state == State.QUEUED  # others may still take it


def test_no_more_is_sent_than_can_soon_be_carried_out_and_visitors_come_in_turn(store, client):
    jobs = [store.submit("a", {}, lane=Lane.RUNS, owner=owner).id for owner in "AAAAAB"]
    cluster = Cluster(store, client, lanes=(Lane.RUNS, Lane.TRIALS))
    cluster.look()
    assert [job for job, *_ in client.sent] == [jobs[0], jobs[5], jobs[1], jobs[2]]
    client.sent[0][-1].status = "finished"
    store.cancel(jobs[0])
    cluster.look()
    assert [job for job, *_ in client.sent[4:]] == [jobs[3]]


def test_a_job_for_a_device_that_the_cluster_is_not_said_to_have_is_left_to_others(store, client):
    store.submit("a", {}, lane=Lane.TRIALS, device="cuda")
    Cluster(store, client, device="cpu").look()
    assert client.sent == []
    Cluster(store, client, device="cuda").look()
    assert len(client.sent) == 1


@pytest.mark.parametrize("patience", [0.0, 60.0])
def test_a_scheduler_may_be_away_for_a_moment(store, client, monkeypatch, wait_until, patience):
    monkeypatch.setattr("zspag_core.jobs.cluster.SILENT_SECONDS", patience)
    for pause in ("LOOK_SECONDS", "BEAT_SECONDS"):
        monkeypatch.setattr(f"zspag_core.jobs.cluster.{pause}", 0.01)
    asked, said = [], []

    def nthreads():
        asked.append(1)
        if 2 < len(asked) < 10:
            raise OSError("timed out after 30 s")
        return {"tcp://a": 1}

    client.nthreads = nthreads
    with Cluster(store, client, complain=said.append) as cluster:
        wait_until(lambda: cluster.trouble or len(asked) > 12, 20.0)
        if patience:
            job = store.submit("a", {}, lane=Lane.TRIALS)
            wait_until(lambda: [sent for sent, *_ in client.sent] == [job.id], 20.0)
            client.sent[0][-1].status = "finished"
            store.cancel(job.id)
    assert said == ([] if patience else ["the cluster's scheduler does not answer any more: timed out after 30 s"])


def test_it_counts_as_so_many_workers_as_it_has_threads(store, client):
    with Cluster(store, client):
        assert [Lane.TRIALS in beat.lanes for beat in store.heartbeats.alive(WORKER)] == [True, True]
    assert store.heartbeats.alive(WORKER) == []


@pytest.mark.slow
def test_a_real_cluster_carries_jobs_out_in_processes_of_their_own(store, wait_until):
    jobs = [store.submit("engine", {"number": number}, lane=Lane.TRIALS) for number in range(2)]
    with open_client("local", 2) as client, Cluster(store, client, device="cpu"):
        wait_until(lambda: all(not store.require(job.id).active for job in jobs), 300.0)
    found = [store.require(job.id) for job in jobs]
    assert [job.state for job in found] == [State.DONE, State.DONE]
    assert len({job.worker for job in found}) == 2


@pytest.mark.slow
def test_a_job_that_somebody_else_has_is_left_alone(store, monkeypatch):
    job = store.submit("engine", {}, lane=Lane.TRIALS)
    store.cancel(job.id)
    assert carry_out(job.id, "cpu", {}) == 3


@pytest.mark.parametrize(("stderr", "said"), [("warning\nno disk\n", "no disk"), ("", "exit code -9")])
def test_a_process_that_ends_otherwise_is_an_error(home, monkeypatch, stderr, said):
    ended = subprocess.CompletedProcess([], -9, "", stderr)
    monkeypatch.setattr("zspag_core.jobs.cluster.subprocess.run", lambda *_, **__: ended)
    with pytest.raises(RuntimeError, match=said):
        carry_out("job", "cpu", {})


@pytest.mark.parametrize("address", ["127.0.0.1:8786", "tcp://localhost:8786", "tls://[::1]:8786"])
def test_a_scheduler_on_this_machine_is_trusted(home, address):
    check_address(address)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("tcp://10.0.0.7:8786", "expected tls://10.0.0.7:PORT"),
        ("gpus.example.org:8786", "expected tls://gpus.example.org:PORT"),
        ("tls://gpus.example.org:8786", "set ZSPAG_DATABASE_URL"),
        ("", "the address of a scheduler"),
    ],
)
def test_an_address_that_is_not_to_be_trusted_is_refused(home, address, said):
    with pytest.raises(UsageError, match=said):
        check_address(address)


def test_a_postgres_lets_other_machines_in(home, monkeypatch):
    monkeypatch.setenv("ZSPAG_DATABASE_URL", "postgresql://zspag@host/name")
    check_address("tls://gpus.example.org:8786")


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_named(home, monkeypatch):
    monkeypatch.setattr("distributed.Client", lambda *_, **__: (_ for _ in ()).throw(OSError("timed out")))
    with pytest.raises(UsageError, match=r"no scheduler answers at .*: timed out"):
        open_client("127.0.0.1:1", 1).__enter__()


def test_without_dask_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match="pip install"):
        open_client("local", 1).__enter__()
