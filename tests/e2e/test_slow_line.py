"""A visitor whose requests and answers take half a second or more: pages stay whole when what they show moves on."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.e2e.serving import end_workers, worker_pids
from tests.e2e.waiting import LONG, wait_for_end, wait_until
from ui.shell.checkpoints import shipped_checkpoints
from zspag_core.jobs import Lane

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]
QUICK = {"n_adv": 10, "epochs": 1, "attack_steps": 5, "stop_rule": False}
LINE = """(() => {
    const lag = LAG;
    window.WebSocket = class extends window.WebSocket {
        send(data) { setTimeout(() => super.send(data), lag); }
        addEventListener(kind, hear, ...more) {
            super.addEventListener(kind, kind === "message" ? (e) => setTimeout(() => hear(e), lag) : hear, ...more);
        }
    };
})()"""
ANSWERED = 4000  # milliseconds until everything that was under way has arrived


def slow(page, lag):
    """Let everything take `lag` milliseconds each way from the next page load on."""
    page.add_init_script(LINE.replace("LAG", str(lag)))


@pytest.fixture
def submit(store):
    """Return a function that starts a run."""

    def submit(**settings):
        config = {"data": "digits", "checkpoint": str(shipped_checkpoints()[0]), "forget": [3], "class_names": ["3"]}
        return store.submit("unlearn", config | {"method": "zspag", "settings": QUICK | settings})

    return submit


def test_page_stays_whole_when_the_map_becomes_ready(page, app_url, store, submit, server_home):
    job = submit(n_adv=9)
    page.goto(app_url)
    wait_for_end(store, [job])
    end_workers(server_home, Lane.MAPS)  # one that drew maps of this model before is done before the page can wait
    wait_until(lambda: not any(Lane.MAPS in lanes for lanes in worker_pids(server_home)), "the worker does not end")
    slow(page, 500)
    page.goto(f"{app_url}/Proxies?job={job.id}")
    chart = page.locator("canvas.map")
    expect(chart).to_be_visible(timeout=LONG)
    expect(page.get_by_text("Drawing the UMAP")).to_be_visible()
    expect(page.get_by_text("the zero line, the same features placed twice")).to_be_visible(timeout=LONG)
    page.wait_for_timeout(ANSWERED)
    expect(chart).to_be_visible()


def test_page_that_is_gone_to_stays_whole_though_the_one_left_was_moving(page, app_url, submit):
    job = submit(epochs=500)
    slow(page, 1100)  # so that the strip above the page, which asks every two seconds, surely asks too late
    page.goto(f"{app_url}/Proxies?job={job.id}")
    expect(page.get_by_text(f"Run {job.number} is under way")).to_be_visible(timeout=LONG)
    page.wait_for_timeout(ANSWERED)  # from now on the page asks by itself
    page.get_by_role("button", name="Open it on the Forget page").click()
    begin = page.get_by_role("button", name="Forget", exact=True)
    expect(begin).to_be_visible(timeout=LONG)
    page.wait_for_timeout(ANSWERED)
    expect(begin).to_be_visible()
    expect(page.get_by_role("heading", name="Forget", exact=True)).to_be_visible()
