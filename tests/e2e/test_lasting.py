"""What outlives the server and what a link carries, in a real browser."""

from __future__ import annotations

import os
import re
import signal

import pytest
from playwright.sync_api import expect

from tests.e2e.serving import VIEWPORT, open_store, start_server, worker_pids
from tests.e2e.waiting import LONG, wait_until
from ui.shell.checkpoints import shipped_checkpoints
from zspag_core.jobs import State

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]
CONFIG = {"data": "digits", "checkpoint": str(shipped_checkpoints()[0]), "forget": [3], "class_names": ["3"]}
ENDLESS = {"epochs": 1000, "stop_rule": False, "n_adv": 10, "attack_steps": 5}


@pytest.fixture
def own_server(tmp_path):
    """A server that a test may kill; whatever runs on its home at the end is ended."""
    started = [start_server(tmp_path)]
    yield started
    started[-1].stop()


@pytest.fixture
def own_store(tmp_path, own_server):
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def epochs_made(store, job):
    return max((event.body["epoch"] for event in store.events(job.id) if event.kind == "epoch"), default=0)


def test_killed_server_loses_nothing(page, own_server, own_store, tmp_path):
    (server,) = own_server
    page.goto(server.url)
    finished = own_store.submit("unlearn", CONFIG | {"method": "mask", "settings": {}, "relearning": False})
    endless = own_store.submit("unlearn", CONFIG | {"method": "zspag", "settings": ENDLESS, "relearning": False})
    wait_until(lambda: epochs_made(own_store, endless), "the run does not begin")

    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    made = epochs_made(own_store, endless)
    wait_until(lambda: epochs_made(own_store, endless) > made, "a run needs no server, but this one stands still")
    for pid in worker_pids(tmp_path).values():
        os.kill(pid, signal.SIGKILL)  # the machine itself went down

    own_server.append(start_server(tmp_path))
    page.goto(f"{own_server[-1].url}/Forget?job={endless.id}")
    expect(page.get_by_text("What it had finished is kept")).to_be_visible(timeout=LONG)
    assert own_store.require(endless.id).state == State.INTERRUPTED
    expect(page.get_by_label("After epoch", exact=False).first).to_be_visible()
    page.goto(f"{own_server[-1].url}/Results?job={finished.id}")
    expect(page.get_by_text("of the test images were read right")).to_be_visible()
    page.goto(f"{own_server[-1].url}/Runs")
    expect(page.get_by_text("2 runs; ")).to_be_visible()
    assert page.get_by_test_id("stException").count() == 0


def test_shared_link_opens_a_lesson_with_its_setting(page, browser, app_url):
    page.goto(f"{app_url}/Learn?lesson=2&learning_rate=0.01")
    expect(page.get_by_role("heading", name="Why careless training destroys the rest")).to_be_visible(timeout=LONG)
    expect(page.get_by_text("Random labels, a learning rate of 0.01, nothing protected")).to_be_visible()
    reveal = page.get_by_role("button", name="Show the answer")
    expect(reveal).to_be_disabled()
    page.get_by_text("Less than half, or the training breaks down").click()
    reveal.click()
    expect(page.get_by_text("As you predicted")).to_be_visible()
    page.get_by_test_id("stButtonGroup").get_by_text("4 · Projection").click()
    page.get_by_text("random ones", exact=True).click()
    page.wait_for_url("**lesson=4*subspace=random*")

    context = browser.new_context(viewport=VIEWPORT)
    pupil = context.new_page()
    pupil.goto(page.url)
    expect(pupil.get_by_text("directions protected: random ones")).to_be_visible(timeout=LONG)
    assert pupil.get_by_text("As you predicted").count() == 0
    context.close()


def test_link_opens_results_and_map_as_they_were(page, browser, app_url, store):
    job = store.submit("unlearn", CONFIG | {"method": "mask", "settings": {}, "relearning": False})
    page.goto(f"{app_url}/Results?job={job.id}")
    tab = page.get_by_role("tab", name="Membership")
    tab.click(timeout=LONG)
    page.wait_for_url("**part=Membership*")
    page.get_by_test_id("stSidebarUserContent").get_by_role("link", name="Proxies").click()
    choices = page.get_by_test_id("stButtonGroup")
    choices.get_by_text("PCA", exact=True).click()
    choices.get_by_text("After", exact=True).click()
    page.wait_for_url("**when=After*")
    assert "part=" not in page.url
    shared = page.url

    context = browser.new_context(viewport=VIEWPORT)
    other = context.new_page()
    other.goto(shared)
    expect(other.locator("canvas.map")).to_have_attribute("aria-label", re.compile("unlearned model"), timeout=LONG)
    other.goto(f"{app_url}/Results?job={job.id}&part=Membership")
    expect(other.get_by_role("tab", name="Membership")).to_have_attribute("aria-selected", "true", timeout=LONG)
    context.close()
