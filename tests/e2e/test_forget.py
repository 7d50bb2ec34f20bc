"""The journeys of a first visitor, in a real browser, with the real engine and worker."""

from __future__ import annotations

import os
import re
import signal
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from tests.e2e.filling import set_number
from tests.e2e.waiting import LONG, wait_until
from ui.shell.number_field import UNREAD_SECONDS
from zspag_core.jobs import Lane, State

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]


def open_form(page, app_url):
    """Open the Forget page and wait for what the worker says about the engine."""
    page.goto(f"{app_url}/Forget")
    expect(page.get_by_role("button", name="Forget", exact=True)).to_be_visible(timeout=LONG)
    expect(page.get_by_role("img", name="An image of class 3")).to_be_visible(timeout=LONG)


def tick(page, name):
    page.get_by_test_id("stCheckbox").filter(has_text=name).first.click()


def job_of(page):
    """Return the id of the run that the address names."""
    (job_id,) = parse_qs(urlsplit(page.url).query)["job"]
    return job_id


def press_forget(page):
    button = page.get_by_role("button", name="Forget", exact=True)
    expect(button).to_be_enabled()
    button.click()
    page.wait_for_url("**job=*")
    return job_of(page)


def cancel(page):
    """Press Cancel once, and see the run end."""
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("The run was cancelled.")).to_be_visible(timeout=LONG)


WATCH_FOR_GAPS = """() => {
    window.looks = window.gaps = 0
    const shadows = [...document.querySelectorAll("*")].flatMap(element => element.shadowRoot ?? [])
    const drawn = () => shadows.flatMap(root => [...root.querySelectorAll("svg[data-points] circle")])
    setInterval(() => {
        window.looks += 1
        window.gaps += !drawn().some(point => point.checkVisibility() && point.getBoundingClientRect().height > 0)
    }, 50)
}"""


def start_long_run(page, app_url, batch_size=2):
    """Start a run that would take very long, the longer the smaller its batches; return its id once it is under way."""
    open_form(page, app_url)
    tick(page, "5")
    set_number(page, "Epochs", 1000)
    page.get_by_text("All settings").click()
    page.get_by_role("tab", name="Loop").click()
    set_number(page, "Batch size", batch_size)  # a thousand epochs of 32 images a step are over in a minute
    page.get_by_role("tab", name="Stopping").click()
    rule = page.get_by_test_id("stCheckbox").filter(has_text="Stop by rule")
    try:
        expect(rule).to_be_visible(timeout=10_000)
    except AssertionError:  # the number that was set redrew the form in the moment of the click
        page.get_by_role("tab", name="Stopping").click()
    rule.click()
    return press_forget(page)


def test_demo_from_the_overview_to_the_table(page, app_url, store, server_home):
    page.goto(app_url)
    page.get_by_role("button", name="Forget a class").click()
    expect(page.get_by_role("heading", name="Forget", exact=True)).to_be_visible()
    expect(page.get_by_text("No run")).to_be_visible()
    expect(page.get_by_role("button", name="Forget", exact=True)).to_be_visible(timeout=LONG)
    tick(page, "3")
    job_id = press_forget(page)
    expect(page.get_by_text(re.compile("^. Baseline$"))).to_be_visible(timeout=LONG)  # the stage; the log names it too
    expect(page.get_by_text("Remaining accuracy", exact=True)).to_be_visible(timeout=LONG)
    expect(page.get_by_role("button", name="Take its settings")).to_be_visible(timeout=LONG)  # the run is over
    page.get_by_text("Before and after").click()
    job = store.require(job_id)
    assert job.config["forget"] == [3]
    written = {path.name for path in (server_home / "runs" / job_id).iterdir()}
    assert written >= {"config.json", "result.json", "model.safetensors"}
    after = job.answer["after"]
    table = page.get_by_role("table")
    expect(table).to_contain_text(f"{after['acc_rt']:.1f} %")
    expect(table).to_contain_text("Mask, for comparison")
    expect(page.locator(".js-plotly-plot")).to_have_count(2)
    assert page.get_by_test_id("stException").count() == 0


def test_one_click_forgets_the_threes(page, app_url, store):
    page.goto(app_url)
    page.get_by_role("button", name="Forget the 3s").click()
    page.wait_for_url("**job=*")
    expect(page.get_by_role("heading", name="Forget", exact=True)).to_be_visible()
    expect(page.get_by_text("Remaining accuracy", exact=True)).to_be_visible(timeout=LONG)
    expect(page.get_by_role("button", name="Take its settings")).to_be_visible(timeout=LONG)  # the run is over
    (job, *_) = store.latest(kind="unlearn")
    assert job.state == State.DONE
    assert job.config["forget"] == [3]
    assert job.answer["after"]["acc_ut"] <= 3
    assert page.get_by_test_id("stException").count() == 0


def test_a_run_takes_over_what_was_made_while_its_form_stood(page, app_url, store):
    open_form(page, app_url)
    tick(page, "7")
    expect(page.get_by_text("what this run begins with is made")).to_be_visible(timeout=LONG)
    job_id = press_forget(page)
    expect(page.get_by_text("Remaining accuracy", exact=True)).to_be_visible(timeout=LONG)
    said = [event.body["sentence"] for event in store.events(job_id, kind="note")]
    begun = [sentence.split(":")[0] for sentence in said if "made earlier" in sentence]
    assert begun == ["the original model's grade", "proxies", "subspace"]


def test_charts_move_while_it_runs_and_reload_page_switch_and_cancel_work(page, app_url, store):
    job_id = start_long_run(page, app_url)
    drawn = page.get_by_label("After epoch", exact=False).first
    expect(drawn).to_be_visible(timeout=LONG)
    page.evaluate(WATCH_FOR_GAPS)
    first = drawn.get_attribute("aria-label")
    expect(page.get_by_label(first)).to_have_count(0, timeout=LONG)
    page.wait_for_function("window.looks > 20")  # the chart may have moved at once
    assert page.evaluate("window.gaps") == 0
    told = page.locator("output").filter(has_text="remaining")
    drawn.hover()
    expect(told).to_contain_text("epoch")
    made = drawn.get_attribute("aria-label")
    expect(page.get_by_label(made)).to_have_count(0, timeout=LONG)
    expect(told).to_be_visible()  # also when the lines have grown under the pointer
    page.mouse.move(0, 0)
    expect(told).to_be_hidden()

    page.reload()
    expect(page.get_by_label("After epoch", exact=False).first).to_be_visible(timeout=LONG)
    assert job_of(page) == job_id

    sidebar = page.get_by_test_id("stSidebarUserContent")
    sidebar.get_by_role("link", name="Overview").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    sidebar.get_by_role("link", name="Forget").click()
    expect(page.get_by_label("After epoch", exact=False).first).to_be_visible(timeout=LONG)
    assert store.require(job_id).state == State.RUNNING

    cancel(page)
    assert store.require(job_id).state == State.CANCELLED
    expect(page.get_by_role("button", name="Resume")).to_be_visible()


def test_number_that_cannot_be_is_corrected_in_sight_before_anything_runs(page, app_url, store):
    open_form(page, app_url)
    tick(page, "3")
    epochs, button = page.get_by_label("Epochs"), page.get_by_role("button", name="Forget", exact=True)
    expect(button).to_be_enabled(timeout=LONG)
    before = {job.id for job in store.latest()}
    epochs.fill("-5")
    button.click()  # the field had no time to say anything
    expect(page.get_by_text("-5 is less than 1, the least possible: 1 is taken.")).to_be_visible(timeout=LONG)
    expect(page.get_by_text("look at it, then press again")).to_be_visible(timeout=LONG)
    expect(epochs).to_have_value("1")
    assert {job.id for job in store.latest()} == before
    page.wait_for_timeout(1000 * UNREAD_SECONDS)  # so long a press counts as made before one could read
    button.click()
    page.wait_for_url("**job=*")
    assert store.require(job_of(page)).config["settings"] == {"epochs": 1}


def test_preview_follows_the_slider(page, app_url, store):
    open_form(page, app_url)
    tick(page, "3")
    gauge = page.get_by_role("meter")
    expect(gauge).to_have_accessible_name("Attack success rate 100 percent", timeout=LONG)
    expect(page.get_by_role("img", name="proxy of an image of 3")).to_have_count(6)
    slider = page.get_by_role("slider", name="perturbation budget")
    slider.focus()
    for _ in range(56):  # faster than the worker can answer
        page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("4/255 = 0.016 of the pixel range")).to_be_visible()
    expect(gauge).not_to_have_accessible_name("Attack success rate 100 percent", timeout=LONG)
    expect(page.get_by_text("too few: little will be protected")).to_be_visible()
    page.wait_for_timeout(2000)
    expect(page.get_by_text("more follow")).to_have_count(0, timeout=LONG)  # all images have answered, not a few alone
    expect(slider).to_have_value("4")
    asked = [job for job in store.latest(Lane.INTERACTIVE) if job.kind == "preview"]
    assert asked[0].state == State.DONE
    assert asked[0].config["settings"]["epsilon"] == pytest.approx(4 / 255)
    assert len(asked) < 40, f"of 56 steps {len(asked)} were asked: what is asked while the slider moves is dropped"


def test_step_pause_continue_and_cancel(page, app_url, store):
    job_id = start_long_run(page, app_url, batch_size=32)
    expect(page.get_by_text("Where the model looks")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="One epoch").click()
    expect(page.get_by_role("button", name="Continue")).to_be_enabled(timeout=LONG)
    made = epochs_made(store, job_id)
    page.get_by_role("button", name="One epoch").click()
    expect(page.get_by_label(f"After epoch {made + 1}:", exact=False).first).to_be_visible(timeout=LONG)
    expect(page.get_by_role("button", name="Continue")).to_be_enabled(timeout=LONG)
    assert epochs_made(store, job_id) == made + 1
    page.get_by_role("button", name="Continue").click()
    wait_until(lambda: epochs_made(store, job_id) >= made + 3, "the run does not go on")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Continue")).to_be_enabled(timeout=LONG)
    wait_until(lambda: drawn(page, epochs_made(store, job_id)), "the epoch before the pause is not drawn")
    cancel(page)
    assert store.require(job_id).state == State.CANCELLED


def drawn(page, epoch):
    """Look whether the charts end with this epoch; a run that was told to pause may end the epoch it is in first."""
    return page.get_by_label(f"After epoch {epoch}:", exact=False).first.is_visible()


def epochs_made(store, job_id):
    return max(event.body["epoch"] for event in store.events(job_id) if event.kind == "epoch")


def test_second_visitor_waits_in_the_queue(page, browser, app_url, store):
    first = start_long_run(page, app_url)
    expect(page.get_by_text("Running").first).to_be_visible(timeout=LONG)
    context = browser.new_context()
    other = context.new_page()
    open_form(other, app_url)
    tick(other, "1")
    press_forget(other)
    expect(other.get_by_text("Position 1 in the queue")).to_be_visible(timeout=LONG)
    cancel(other)
    context.close()
    store.cancel(first)


def test_failed_run_shows_a_card_and_no_traceback(page, app_url, store):
    job = store.submit("unlearn", {"data": "digits", "checkpoint": "nowhere.safetensors", "forget": [3]})
    page.goto(f"{app_url}/Forget?job={job.id}")
    expect(page.get_by_text("What happened.")).to_be_visible(timeout=LONG)
    expect(page.get_by_text("nowhere.safetensors").first).to_be_visible()
    assert page.get_by_test_id("stException").count() == 0
    assert not page.get_by_text("Traceback").first.is_visible()
    page.get_by_text("Details to copy into a report").click()
    expect(page.get_by_text("Traceback").first).to_be_visible()


def test_killed_worker_interrupts_the_run_and_is_replaced(page, app_url, store, server_home):
    from zspag_core.jobs.heartbeats import WORKER

    job_id = start_long_run(page, app_url)
    wait_until(lambda: store.require(job_id).state == State.RUNNING, "the run does not begin")
    victim = store.require(job_id).worker
    os.kill(int(victim.split("-")[-2]), signal.SIGKILL)
    expect(page.get_by_text("Interrupted").first).to_be_visible(timeout=LONG)
    expect(page.get_by_text("ended before the run did")).to_be_visible()

    def replaced():
        return any("runs" in worker.lanes and worker.name != victim for worker in store.heartbeats.alive(WORKER))

    wait_until(replaced, "no new worker comes")
    assert store.require(job_id).state == State.INTERRUPTED
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Cancel").wait_for(timeout=LONG)
    cancel(page)
