"""Two real runs side by side, and everything that can be taken away from one, opened and read back."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile

import pytest
from playwright.sync_api import expect
from safetensors.numpy import load_file

from tests.e2e.waiting import LONG, choose, wait_for_end
from ui.shell.checkpoints import shipped_checkpoints
from zspag_core.jobs import State

REPEAT = re.compile(r"python -m zspag_core (--threads \d+ )?unlearn")  # this server computes with one thread

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(900)]
QUICK = {"n_adv": 10, "epochs": 2, "attack_steps": 5, "stop_rule": False}


@pytest.fixture(scope="module")
def submitted(database):
    """A run of the full method and one of the trivial reference, on digits."""
    shared = {"data": "digits", "checkpoint": str(shipped_checkpoints()[0]), "forget": [3], "class_names": ["3"]}
    full = database.submit("unlearn", shared | {"method": "zspag", "settings": QUICK})
    return full, database.submit("unlearn", shared | {"method": "mask", "settings": {}})


@pytest.fixture
def runs(page, app_url, store, submitted):
    """The two runs, done: a page that is open has a worker started."""
    page.goto(app_url)
    done = wait_for_end(store, submitted)
    assert [job.state for job in done] == [State.DONE, State.DONE], [job.error for job in done]
    return done


def open_part(page, name):
    tab = page.get_by_role("tab", name=name)
    tab.click()
    expect(tab).to_have_attribute("aria-selected", "true")


def download(page, label):
    button = page.get_by_role("button", name=label, exact=True)
    expect(button).to_be_enabled()
    with page.expect_download(timeout=LONG) as started:
        button.click()
    return started.value


def test_two_runs_are_picked_compared_and_shared(page, browser, app_url, runs):
    one, two = runs
    page.goto(f"{app_url}/Results?job={one.id}")
    expect(page.get_by_text("of the test images were read right")).to_be_visible()
    page.get_by_role("button", name="Compare").click()
    choose(page, "Run B", f"Run {two.number} ")
    expect(page.get_by_role("heading", name="What was set differently")).to_be_visible()
    expect(page.get_by_role("table").first).to_contain_text("mask")
    expect(page.get_by_role("table").nth(1)).to_contain_text("Lead over mask")
    expect(page.get_by_label("Accuracy of each class")).to_have_count(2)
    page.wait_for_url(f"**b={two.id}*")
    open_part(page, "Membership")
    expect(page.get_by_role("slider")).to_have_count(1)
    expect(page.get_by_label("Histogram of the loss")).to_have_count(2)
    assert page.get_by_test_id("stException").count() == 0

    context = browser.new_context()
    other = context.new_page()
    other.goto(page.url)
    expect(other.get_by_role("heading", name="What was set differently")).to_be_visible(timeout=LONG)
    other.get_by_role("button", name="Take run B away").click()
    expect(other.get_by_role("heading", name="What was set differently")).to_have_count(0)
    context.close()


def test_every_download_is_opened_and_read_back(page, browser, app_url, runs, server_home, tmp_path):
    run = runs[0]
    page.goto(f"{app_url}/Results?job={run.id}")
    open_part(page, "Downloads")
    expect(page.get_by_text(REPEAT)).to_be_visible(timeout=LONG)
    got = {}
    for label in ("Unlearned model", "Report", "Data of all figures", "result.json", "Proxies"):
        found = download(page, label)
        got[label] = tmp_path / found.suggested_filename
        found.save_as(got[label])
    folder = server_home / "runs" / run.id
    read_model(got["Unlearned model"], folder)
    assert json.loads(got["result.json"].read_text()) == run.answer
    assert set(load_file(got["Proxies"])["labels"].tolist()) <= set(range(10)) - {3}
    read_figures(got["Data of all figures"], run.answer)
    read_report(browser, got["Report"], tmp_path)


def read_model(path, folder):
    from zspag_core.checkpoints import load_checkpoint

    assert path.read_bytes() == (folder / "model.safetensors").read_bytes()
    assert load_checkpoint(path).about["unlearned"]["forget"] == [3]


def read_figures(path, result):
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        tables = {name: list(csv.DictReader(io.StringIO(archive.read(name).decode()))) for name in archive.namelist()}
    assert all(tables.values())
    row = tables["accuracy_by_class.csv"][3]
    assert float(row["after_percent"]) == result["after"]["acc_per_class"][3]
    assert len(tables["epochs.csv"]) == 1 + len(result["history"])


def read_report(browser, path, folder):
    """Open the report with no network at all; every figure is drawn, and it can be printed."""
    context = browser.new_context(offline=True)
    report = context.new_page()
    errors, asked = [], []
    report.on("pageerror", lambda error: errors.append(str(error)))
    report.on("request", lambda request: asked.append(request.url))
    report.goto(path.as_uri())
    figures = report.get_by_role("img").filter(has=report.locator("figcaption"))
    expect(figures.first).to_be_visible()
    expect(report.locator(".js-plotly-plot .main-svg").first).to_be_visible(timeout=LONG)
    assert report.locator(".js-plotly-plot").count() == figures.count() > 8
    assert report.get_by_text(REPEAT).is_visible()
    report.pdf(path=str(folder / "report.pdf"), format="A4")
    assert (folder / "report.pdf").stat().st_size > 50_000
    context.close()
    assert not errors
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
