"""Several workers over one Postgres, as several machines would: each with a clock of its own, one of them killed."""

from __future__ import annotations

from collections import Counter

import pytest

from zspag_core.jobs import State
from zspag_core.jobs.heartbeats import WORKER

DATABASES = ("postgres",)
JOBS, SKEWS = 24, ("0", "60", "-60")


@pytest.mark.slow
def test_every_job_ends_once_though_clocks_differ_and_a_worker_is_killed(
    store, home, start_server, wait_until, monkeypatch
):
    jobs = [store.submit("short", {"number": number}) for number in range(JOBS)]
    servers = []
    for skew in SKEWS:
        monkeypatch.setenv("SKEW_SECONDS", skew)
        servers.append(start_server("runs"))
    wait_until(lambda: len(store.heartbeats.alive(WORKER)) == len(SKEWS), 60.0)
    wait_until(lambda: any(store.require(job.id).state == State.RUNNING for job in jobs))
    servers[0].kill()

    def ended():
        store.reap()
        found = [store.require(job.id) for job in jobs]
        for job in found:
            if job.state == State.INTERRUPTED:
                store.resume(job.id)
        return all(job.state == State.DONE for job in found)

    wait_until(ended, 60.0)
    ends = Counter((home / "ends.txt").read_text().split())
    assert set(ends) == {job.id for job in jobs}
    lost = sum(ends.values()) - JOBS
    assert lost <= 1, "the one that was killed may have ended its work without saying so"
    assert len({store.require(job.id).answer["worker"] for job in jobs}) >= 2
