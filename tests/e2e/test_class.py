"""A class in browsers: a teacher and two visitors, who come by HTTPS through a reverse proxy."""

from __future__ import annotations

import urllib.error
import urllib.request
from types import SimpleNamespace

import pytest

from tests.e2e.conftest import PATIENCE
from tests.e2e.serving import free_port, open_store, shared_dashboard
from tests.e2e.tls_proxy import certificate, tls_proxy

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def school(tmp_path_factory):
    """A shared dashboard behind the proxy, without workers: runs wait, which is enough to see whose they are."""
    home = tmp_path_factory.mktemp("class")
    cert, key = certificate(home)
    port, outside = free_port(), free_port()
    url = f"https://localhost:{outside}"
    with tls_proxy(cert, key, outside, port), shared_dashboard(home, port, "--behind", url) as codes:
        yield SimpleNamespace(url=url, inside=f"http://127.0.0.1:{port}", home=home, **codes)


@pytest.fixture
def come(visitor, school):
    """Return a function that opens a browser of somebody's own at an address, and answers the door."""

    def come(name, code, address="/", wrong=""):
        page = visitor(ignore_https_errors=True)
        page.goto(f"{school.url}{address}")
        for told in filter(None, (wrong, code)):
            page.get_by_label("Code of the class").fill(told)
            page.get_by_label("What you want to be called").fill(name)
            page.get_by_role("button", name="Join").click()
            if told == wrong:
                page.get_by_role("alert").get_by_text("That is not the code of this class").wait_for()
        page.get_by_text(f"{name} · ").wait_for()
        return page

    return come


def test_a_class(school, come):
    from playwright.sync_api import expect

    teacher = come("Ms Noether", school.teacher, "/Learn?lesson=3")
    expect(teacher.get_by_text("Nobody has joined yet")).to_be_visible()

    ada = come("Ada", school.join.lower(), "/Learn?lesson=3", wrong="WRONG2")
    expect(ada.get_by_text("What proxies are, and what ε does")).to_be_visible()
    expect(ada.get_by_text("Run it for all")).to_have_count(0)
    ada.get_by_text("Fewer than 20 %").first.click()
    bars = teacher.locator(".zs-answers")
    expect(bars).to_have_attribute(
        "aria-label", "Answers of the class: 1 say Fewer than 20 %; 0 say 20 to 80 %; 0 say More than 80 %."
    )
    expect(teacher.get_by_text("· 1 here")).to_be_visible()

    ada.get_by_role("link", name="Overview").click()
    ada.get_by_role("button", name="Forget the 3s").click()
    ada.wait_for_url("**/Forget?*job=*")
    link = ada.url
    expect(ada.get_by_role("button", name="Cancel")).to_be_visible()
    ada.reload()
    expect(ada.get_by_text("Ada · in the class")).to_be_visible()
    expect(ada.get_by_role("button", name="Cancel")).to_be_visible()
    second = ada.context.new_page()
    second.set_default_timeout(PATIENCE)
    second.goto(f"{school.url}/Runs")
    expect(second.get_by_text("Ada · in the class")).to_be_visible()
    expect(second.get_by_text("1 run")).to_be_visible()
    second.close()

    bob = come("Bob", school.join, link.removeprefix(school.url))
    expect(bob.get_by_text("is somebody else's: you see its results, and cannot change it.")).to_be_visible()
    expect(bob.get_by_text("ZS-PAG · run 1")).to_be_visible()
    expect(bob.get_by_role("button", name="Cancel")).to_have_count(0)
    bob.get_by_role("link", name="Runs").click()
    expect(bob.get_by_text("No run yet")).to_be_visible()

    teacher.get_by_role("button", name="Run it for all").click()
    for visitor in (ada, bob):
        visitor.wait_for_url("**/Learn?*")
        expect(visitor.get_by_text("Run 2 is under way")).to_be_visible()
    store = open_store(school.home)
    owners = [job.owner for job in store.latest()]
    store.close()
    assert len(owners) == len(set(owners)) == 2
    (kept,) = [cookie for cookie in ada.context.cookies() if cookie["name"] == "zspag_visitor"]
    assert (kept["httpOnly"], kept["secure"], kept["sameSite"]) == (True, True, "Lax")


def test_nobody_comes_in_past_the_door(school):
    for path in ("/_stcore/host-config", "/media/x", "/_stcore/upload_file/a/b"):
        request = urllib.request.Request(school.inside + path, headers={"Host": "localhost"})  # noqa: S310 - our own
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request)  # noqa: S310 - our own server
        refused.value.close()
        assert refused.value.code == 401
