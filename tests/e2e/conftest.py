"""A real server with a home of its own, and a real browser; skipped visibly where there is no Chromium."""

from __future__ import annotations

import contextlib

import pytest

from tests.e2e.serving import FLAGS, VIEWPORT, find_chromium, open_store, start_server

PATIENCE = 60_000  # milliseconds, for what takes a moment on a quiet machine


@pytest.fixture(scope="session")
def server_home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def database(server_home, app_url):
    """The database of the app, for what a module's tests share."""
    opened = open_store(server_home)
    yield opened
    opened.close()


@pytest.fixture
def store(database):
    """The database of the app; what a test leaves behind is cancelled, or every later run would wait behind it."""
    yield database
    for job in database.latest():
        if job.active:
            database.cancel(job.id)


@pytest.fixture(scope="session")
def app_url(server_home):
    """Start the app on a free port; it and its workers end with the session."""
    server = start_server(server_home)
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def browser():
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no Chromium on this machine: the browser tests need one")
    playwright = pytest.importorskip("playwright.sync_api")
    playwright.expect.set_options(timeout=PATIENCE)
    with playwright.sync_playwright() as driver:
        launched = driver.chromium.launch(executable_path=chromium, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture
def page(browser):
    """A fresh visitor; an error in the page's own scripts fails the test, and so does any request to elsewhere."""
    context = browser.new_context(viewport=VIEWPORT)
    opened = context.new_page()
    opened.set_default_timeout(PATIENCE)
    errors, hosts = [], set()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    opened.on("request", lambda request: hosts.add(request.url.split("/")[2].split(":")[0]))
    yield opened
    context.close()
    assert not errors
    assert hosts <= {"127.0.0.1", ""}


@pytest.fixture
def visitor(browser):
    """Return a function that opens a page in a browser of somebody's own."""
    contexts = []

    def visitor(**options):
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 720}, **options))
        opened = contexts[-1].new_page()
        opened.set_default_timeout(PATIENCE)
        return opened

    yield visitor
    for context in contexts:
        context.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """Show with a failure what stood on the page."""
    report = yield
    page = item.funcargs.get("page")
    if report.when == "call" and report.failed and page is not None:
        with contextlib.suppress(Exception):  # the page is gone: then the test's own words must do
            report.sections.append(("page", f"{page.url}\n{page.inner_text('body', timeout=2000)}"))
    return report
