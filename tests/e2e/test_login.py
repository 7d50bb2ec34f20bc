"""A class that logs in: OpenID Connect from the button to the name, with a real provider on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from playwright.sync_api import expect

from tests.e2e.conftest import PATIENCE
from tests.e2e.serving import free_port, open_store, shared_dashboard, wait_until_healthy

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PEOPLE = {
    "noether": {"name": "Ms Noether", "email": "noether@school.org", "email_verified": True},
    "ada": {"name": "Ada", "email": "ada@school.org", "email_verified": True},
    "mallory": {"name": "Mallory", "email": "noether@school.org", "email_verified": False},
}


@contextmanager
def provider():
    """Start a provider that knows these people, in a process of its own; yield its address."""
    port = free_port()
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce", "true"]
    for who, claims in PEOPLE.items():
        command += ["--user-claims", json.dumps({"sub": who, **claims})]
    with subprocess.Popen(command) as process:
        issuer = f"http://127.0.0.1:{port}"
        try:
            wait_until_healthy(issuer, process, "/.well-known/openid-configuration")
            yield issuer
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def school(tmp_path_factory):
    """A shared dashboard, without workers, and the provider that its people log in at."""
    home, port = tmp_path_factory.mktemp("login"), free_port()
    with provider() as issuer:
        url, secrets = f"http://localhost:{port}", home / ".streamlit" / "secrets.toml"
        secrets.parent.mkdir()
        told = {
            "redirect_uri": f"{url}/oauth2callback",
            "cookie_secret": "signed with this in the test",
            "client_id": "zspag",
            "client_secret": "known to both",
            "server_metadata_url": f"{issuer}/.well-known/openid-configuration",
        }
        secrets.write_text("[auth]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in told.items()))
        options = ("--login", "--teacher", "noether@school.org")
        with shared_dashboard(home, port, *options, environment={"HOME": str(home)}):
            yield SimpleNamespace(url=url, home=home)


@pytest.fixture
def come(visitor, school):
    """Return a function that opens a browser of somebody's own at an address, and logs in."""

    def come(who, address="/"):
        page = visitor()
        page.goto(f"{school.url}{address}")
        expect(page.get_by_text("Join the class")).to_be_visible(timeout=PATIENCE)
        expect(page.get_by_role("link", name="Overview")).to_have_count(0)
        page.get_by_role("button", name="Log in").click()
        page.get_by_placeholder("sub").fill(who)
        page.get_by_role("button", name="Authorize").click()
        page.get_by_text(f"{PEOPLE[who]['name']} · ").wait_for()
        return page

    return come


def test_who_logs_in_is_who_the_provider_says(school, come):
    teacher = come("noether")
    expect(teacher.get_by_text("Ms Noether · teacher")).to_be_visible()
    ada = come("ada")
    expect(ada.get_by_text("Ada · in the class")).to_be_visible()
    ada.get_by_role("button", name="Forget the 3s").click()
    ada.wait_for_url("**/Forget?*job=*")
    ada.reload()
    expect(ada.get_by_text("Ada · in the class")).to_be_visible()
    expect(ada.get_by_role("button", name="Cancel")).to_be_visible()
    mallory = come("mallory")  # says the teacher's address, which the provider has not verified
    expect(mallory.get_by_text("Mallory · in the class")).to_be_visible()
    mallory.get_by_role("link", name="Runs").click()
    expect(mallory.get_by_text("No run yet")).to_be_visible()
    store = open_store(school.home)
    (run,) = store.latest()
    store.close()
    assert run.owner
    ada.get_by_role("button", name="Log out").click()
    ada.get_by_role("button", name="End session").click()  # the provider's
    expect(ada.get_by_role("button", name="Log in")).to_be_visible(timeout=PATIENCE)
