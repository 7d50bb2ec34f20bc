"""A class behind nginx, which ends TLS, configured word for word as docs/class.md says."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import subprocess
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from websockets.exceptions import InvalidStatus

from tests.campaign.pupil import Pupil, Seen, call, join
from tests.e2e.serving import ROOT, free_port, shared_dashboard
from tests.e2e.tls_proxy import certificate

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed: apt install nginx"),
]
USER = "user root;" if hasattr(os, "getuid") and os.getuid() == 0 else ""  # else its workers may not use our folder
DOCUMENT = ROOT / "docs" / "class.md"
AROUND = """
{user} daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    server {{
        listen 127.0.0.1:{outside} ssl;
        ssl_certificate {cert}; ssl_certificate_key {key};
        {location}
    }}
}}
"""


def documented(port):
    """Return the block that the document gives, for a dashboard on another port."""
    block = DOCUMENT.read_text(encoding="utf-8").partition("nginx needs to be told:\n\n```\n")[2].partition("```")[0]
    assert "127.0.0.1:8501" in block
    return block.replace("8501", str(port))


@pytest.fixture(scope="module")
def school(tmp_path_factory):
    """A shared dashboard, without workers, behind nginx."""
    home = tmp_path_factory.mktemp("nginx")
    cert, key = certificate(home)
    inside, outside = free_port(), free_port()
    url = f"https://localhost:{outside}"
    settings = AROUND.format(folder=home, outside=outside, cert=cert, key=key, location=documented(inside), user=USER)
    (home / "nginx.conf").write_text(settings)
    with subprocess.Popen(["nginx", "-e", home / "error.log", "-c", home / "nginx.conf"]) as proxy:
        try:
            with shared_dashboard(home, inside, "--behind", url) as codes:
                yield SimpleNamespace(url=url, trust=ssl.create_default_context(cafile=str(cert)), **codes)
        finally:
            proxy.terminate()
            proxy.wait(timeout=30)


def run(visit):
    """Carry a visit out in a thread of its own: in this one, browser tests may have left a loop running."""
    with ThreadPoolExecutor(1) as apart:
        return apart.submit(asyncio.run, visit).result()


def answer(school, method, path, body=None, **headers):
    """Return what the server answers by way of nginx: status and headers."""
    with call(school.url, school.trust) as connection:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        told = connection.getresponse()
        told.read()
        return told.status, told.headers


def test_who_comes_by_nginx_is_asked_for_the_code(school):
    status, headers = answer(school, "GET", "/Learn?lesson=2", accept="text/html")
    assert (status, headers["location"]) == (303, "/join?next=%2FLearn%3Flesson%3D2")
    with pytest.raises(PermissionError, match="403"):
        join(school.url, "Ada", "WRONG1", school.trust)
    with pytest.raises(InvalidStatus, match="403"):
        run(Pupil(school.url, "", Seen(), school.trust).open())


def test_pages_come_by_nginx_and_its_websocket(school):
    cookie = join(school.url, "Ada", school.join, school.trust)
    assert {"Secure", "HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))
    status, headers = answer(school, "GET", "/", accept="text/html", cookie=cookie.partition(";")[0])
    assert (status, headers.get_content_type()) == (200, "text/html")
    seen = Seen()

    async def look():
        ada = Pupil(school.url, cookie, seen, school.trust)
        await ada.open()
        await ada.go("Learn")
        await ada.close()

    run(look())
    assert [one.page for one in seen.answers] == ["Overview (opened)", "Learn"]
    assert (seen.faults, seen.alerts) == ([], set())


def test_another_name_is_refused_behind_nginx(school):
    assert answer(school, "GET", "/", accept="text/html", host="evil.example.org")[0] == 403


def test_uploads_pass_nginx_up_to_the_dashboards_own_limit(school):
    cookie = join(school.url, "Bob", school.join, school.trust).partition(";")[0]

    async def upload(body):
        bob = Pupil(school.url, cookie, Seen(), school.trust)
        await bob.open()
        _, told = await asyncio.to_thread(answer, school, "GET", "/_stcore/health")
        kept = told["set-cookie"].partition(";")[0]
        mine = {"cookie": f"{cookie}; {kept}", "x_xsrftoken": kept.partition("=")[2]}
        mine["content_type"] = "multipart/form-data; boundary=x"
        place = f"/_stcore/upload_file/{bob.session}/one"
        status, _ = await asyncio.to_thread(answer, school, "PUT", place, body, **mine)
        await bob.close()
        return status

    form = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f.npz"\r\n\r\n%b\r\n--x--\r\n'
    assert run(upload(form % bytes(3 * 1024**2))) == 204  # nginx lets 1 MB through where nothing is said
    with call(school.url, school.trust) as connection:
        connection.putrequest("PUT", "/_stcore/upload_file/a/b")
        connection.putheader("Cookie", cookie)
        connection.putheader("Content-Length", str(302 * 1024**2))
        connection.endheaders()
        told = connection.getresponse()
        assert (told.status, told.headers["server"].partition("/")[0]) == (413, "nginx")
        told.read()
