"""A store of its own for every test, on each database, and two visitors."""

from __future__ import annotations

import pytest

from tests.jobs.conftest import home, pytest_generate_tests, store  # noqa: F401
from zspag_core.jobs import Lane, State
from zspag_core.visitors.classroom import Limits
from zspag_core.visitors.own_store import VisitorStore
from zspag_core.visitors.passes import Visitor

LIMITS = Limits(waiting=3, disk_mb=1, upload_mb=2)


@pytest.fixture
def ada(store):  # noqa: F811
    return VisitorStore(store, Visitor("a" * 20, "Ada"), LIMITS)


@pytest.fixture
def bob(store):  # noqa: F811
    return VisitorStore(store, Visitor("b" * 20, "Bob"), LIMITS)


@pytest.fixture
def run(store):  # noqa: F811
    """Return a function that carries out the next job of a lane."""

    def run(state=State.DONE, lane=Lane.RUNS, **said):
        store.heartbeats.beat("w", "worker", (lane,), "cpu")
        job = store.claim(lane, "w", "cpu")
        store.finish(job, state, **said)
        return store.require(job.id)

    return run
