from __future__ import annotations

import threading

from zspag_core.jobs import Lane, State
from zspag_core.jobs.turns import in_turn

DATABASES = ("sqlite", "postgres")


def ask(store, owners):
    """Queue a job for every letter."""
    return [store.submit("a", {}, owner=owner) for owner in owners]


def take(store, worker="w"):
    store.heartbeats.beat(worker, "worker", (Lane.RUNS,), "cpu")
    return store.claim(Lane.RUNS, worker, "cpu")


def served(store, most=100):
    """Carry out what waits, one after the other; return whose it was."""
    order = []
    while len(order) < most and (job := take(store)) is not None:
        order.append(job.owner)
        store.finish(job, State.DONE)
    return "".join(order)


def test_visitors_are_served_in_turn_and_each_in_the_order_of_asking(store):
    jobs = ask(store, "AAAABBC")
    assert served(store) == "ABCABAA"
    began = sorted((store.require(job.id) for job in jobs if job.owner == "A"), key=lambda job: job.started)
    assert [job.id for job in began] == [job.id for job in jobs[:4]]


def test_who_comes_late_does_not_wait_behind_what_others_asked_before(store):
    ask(store, "AAAAAA")
    assert served(store, most=3) == "AAA"
    ask(store, "BB")
    assert served(store) == "BABAA"


def test_who_was_served_long_ago_goes_before_who_was_served_just_now(store):
    ask(store, "AB")
    assert served(store) == "AB"
    ask(store, "BA")
    assert served(store) == "AB"


def test_who_has_a_run_under_way_waits_for_who_has_none(store):
    ask(store, "AABB")
    first, second = take(store, "w1"), take(store, "w2")
    assert first.owner + second.owner == "AB"
    store.finish(first, State.DONE)
    assert take(store, "w1").owner == "A", "B has one under way, A none"


def test_one_person_alone_is_served_in_the_order_of_asking(store):
    jobs = ask(store, ["", "", ""])
    assert [take(store).id for _ in jobs] == [job.id for job in jobs]


def test_the_queue_that_is_shown_is_the_queue_that_is_served(store):
    ask(store, "AAABBCDD")
    served(store, most=2)
    take(store)
    waiting = [store.require(job) for job in store.waiting(Lane.RUNS)]
    running = [job for job in store.latest() if job.state == State.RUNNING]
    shown = sorted(waiting, key=lambda job: len(store.ahead(job)))
    assert [len(store.ahead(job)) for job in shown] == list(range(1, len(waiting) + 1))
    store.finish(running[0], State.DONE)
    order = []
    while (job := take(store)) is not None:
        order.append(job.id)
        store.finish(job, State.DONE)
    assert order == [job.id for job in shown]


def test_several_workers_take_every_job_once(store):
    ask(store, "AAAAAAAABBBBBBBBCCCC")
    taken, lock = [], threading.Lock()

    def work(name):
        store.heartbeats.beat(name, "worker", (Lane.RUNS,), "cpu")
        while store.waiting(Lane.RUNS):
            job = store.claim(Lane.RUNS, name, "cpu")
            if job is not None:
                with lock:
                    taken.append(job.id)
                store.finish(job, State.DONE)

    threads = [threading.Thread(target=work, args=(f"w{place}",)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken)) == 20


def test_what_was_interrupted_does_not_jump_the_queue(store):
    ask(store, "AB")
    job = take(store)
    store.finish(job, State.INTERRUPTED)
    assert store.resume(job.id)
    ask(store, "C")
    assert "".join(store.require(waiting).owner for waiting in store.waiting(Lane.RUNS)) == "ABC"
    assert served(store) == "ABC"


def test_nobody_waits_for_nothing():
    assert in_turn([], [], {"A": 1.0}) == []
