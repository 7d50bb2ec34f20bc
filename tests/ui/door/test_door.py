"""The door as a server sees it: ASGI messages in, ASGI messages out."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from urllib.parse import urlencode

import pytest

from ui.door import door as door_module
from ui.door.door import Door
from ui.door.tries import FROM_ALL, FROM_ONE, Tries
from ui.door.volume import Volume
from zspag_core.visitors.classroom import Classroom, Limits
from zspag_core.visitors.passes import COOKIE, Visitor, read_pass, write_pass

SECRET = "s" * 64
CLASS = Classroom(SECRET, "ABC234", "TEACHERCODE2", hosts=("localhost", "192.168.0.5"))
ADA = Visitor("a" * 20, "Ada")


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    real = asyncio.sleep
    monkeypatch.setattr(door_module.asyncio, "sleep", lambda _: real(0))


async def inside(scope, receive, send):
    """Stands for the dashboard."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"the dashboard"})


def ask(door, path="/", *, method="GET", body=b"", kind="http", host="localhost:8501", client="10.0.0.1", **headers):
    """Send one request through a door and return what came back."""
    path, _, query = path.partition("?")
    given = {"host": host, "accept": "text/html"} | {name.replace("_", "-"): text for name, text in headers.items()}
    scope = {"type": kind, "path": path, "query_string": query.encode(), "client": (client, 1), "method": method}
    scope["headers"] = [(name.encode(), text.encode("latin-1")) for name, text in given.items() if text is not None]
    sent, waiting = [], [{"type": "http.request", "body": body}]

    async def receive():
        return waiting.pop(0) if kind == "http" else {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    with ThreadPoolExecutor(1) as apart:  # a browser test before this one may have left its loop running in this thread
        apart.submit(asyncio.run, door(scope, receive, send)).result()
    if kind == "websocket":
        return sent[0]["type"]
    back = {name.decode(): text.decode("latin-1") for name, text in sent[0]["headers"]}
    return SimpleNamespace(status=sent[0]["status"], headers=back, text=sent[1]["body"].decode())


def join(door, code, name="Ada", path="/join", **headers):
    return ask(door, path, method="POST", body=urlencode({"code": code, "name": name}).encode(), **headers)


def carried(visitor=ADA, secret=SECRET):
    return f"other=1; {COOKIE}={write_pass(visitor, secret)}"


def kept(answer):
    """Return whose pass an answer leaves with the browser."""
    return read_pass(answer.headers["set-cookie"].split(";")[0].partition("=")[2], SECRET)


def test_a_page_is_asked_for_the_code_first_and_comes_back_afterwards():
    door = Door(inside, CLASS)
    answer = ask(door, "/Results?job=abc&part=Depth")
    assert (answer.status, answer.headers["location"]) == (303, "/join?next=%2FResults%3Fjob%3Dabc%26part%3DDepth")
    page = ask(door, answer.headers["location"])
    assert (page.status, page.headers["cache-control"]) == (200, "no-store")
    assert 'action="/join?next=%2FResults%3Fjob%3Dabc%26part%3DDepth"' in page.text
    joined = join(door, "abc 234", path=answer.headers["location"])
    assert (joined.status, joined.headers["location"]) == (303, "/Results?job=abc&part=Depth")
    assert (kept(joined).name, kept(joined).teacher) == ("Ada", False)


@pytest.mark.parametrize("path", ["/media/x.png", "/_stcore/upload_file/1/2", "/_stcore/host-config"])
def test_nothing_else_is_answered_without_a_pass(path):
    door = Door(inside, CLASS)
    assert ask(door, path, accept="*/*").status == 401
    assert ask(door, path, method="PUT", content_length="9").status == 401
    assert ask(door, path, cookie=carried()).text == "the dashboard"


def test_no_websocket_opens_without_a_pass():
    door = Door(inside, CLASS)
    assert ask(door, "/_stcore/stream", kind="websocket") == "websocket.close"
    assert ask(door, "/_stcore/stream", kind="websocket", cookie=carried(secret="t" * 64)) == "websocket.close"
    assert ask(door, "/_stcore/stream", kind="websocket", cookie=carried()) == "websocket.accept"


def test_who_watches_the_server_needs_no_pass():
    assert ask(Door(inside, CLASS), "/_stcore/health").text == "the dashboard"


@pytest.mark.parametrize(
    ("headers", "kind", "refused"),
    [
        ({"host": "evil.example"}, "http", True),
        ({"host": "localhost.evil.example"}, "http", True),
        ({"host": "[bad"}, "http", True),
        ({"host": None}, "http", True),
        ({"host": "LOCALHOST"}, "http", False),
        ({"host": "192.168.0.5:8501"}, "http", False),
        ({"origin": "http://evil.example"}, "http", True),
        ({"origin": "http://evil.example"}, "websocket", True),
        ({"origin": "http://localhost:8501"}, "websocket", False),
    ],
)
def test_other_names_and_other_sites_pages_are_refused(headers, kind, refused):
    answer = ask(Door(inside, CLASS), "/", kind=kind, cookie=carried(), **headers)
    if kind == "websocket":
        assert (answer == "websocket.close") == refused
    else:
        assert (answer.status == 403) == refused


def test_a_wrong_code_and_no_name_are_said():
    door = Door(inside, CLASS)
    wrong = join(door, "ABC235", name='<b>"A"')
    assert (wrong.status, "not the code of this class" in wrong.text) == (403, True)
    assert "<b>" not in wrong.text
    assert "set-cookie" not in wrong.headers
    nameless = join(door, "ABC234", name=" \n ")
    assert (nameless.status, "what you want to be called" in nameless.text) == (422, True)
    assert join(door, "x" * 10_000).status == 403


def test_the_teachers_code_makes_a_teacher_who_stays_the_same_visitor():
    door = Door(inside, CLASS)
    answer = join(door, "TEACHERCODE2", name="Ms N", cookie=carried())
    assert kept(answer) == Visitor(ADA.id, "Ms N", teacher=True)
    assert 'value="Ada"' in ask(door, "/join", cookie=carried()).text


def test_the_pass_is_out_of_scripts_reach_and_of_other_sites():
    plain = join(Door(inside, CLASS), "ABC234").headers["set-cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= {part.strip() for part in plain.split(";")}
    assert "Secure" not in plain
    secure = Classroom(SECRET, "ABC234", "T" * 12, hosts=("localhost",), secure=True)
    assert "Secure" in join(Door(inside, secure), "ABC234").headers["set-cookie"]


@pytest.mark.parametrize(
    "after", ["//evil.example", "https://evil.example", "/\\evil.example", "x", "/a\r\nb", "/join"]
)
def test_nobody_is_sent_elsewhere(after):
    answer = join(Door(inside, CLASS), "ABC234", path=f"/join?{urlencode({'next': after})}")
    assert answer.headers["location"] == "/"


def test_who_guesses_is_stopped_and_others_are_not():
    door = Door(inside, CLASS)
    assert {join(door, f"WRONG{n}").status for n in range(FROM_ONE)} == {403}
    stopped = join(door, "ABC234")
    assert (stopped.status, "wait a minute" in stopped.text) == (429, True)
    assert join(door, "ABC234", client="10.0.0.2").status == 303


def test_behind_a_proxy_guesses_count_by_who_came_to_it():
    secure = Classroom(SECRET, "ABC234", "T" * 12, hosts=("localhost",), secure=True)
    door = Door(inside, secure)
    for number in range(FROM_ONE):
        join(door, f"WRONG{number}", x_forwarded_for=f"1.2.3.{number}, 5.6.7.8")
    assert join(door, "ABC234", x_forwarded_for="9.9.9.9, 5.6.7.8").status == 429, "only the proxy's own word counts"
    assert join(door, "ABC234", x_forwarded_for="5.6.7.9").status == 303
    open_door = Door(inside, CLASS)
    for number in range(FROM_ONE):
        join(open_door, f"WRONG{number}", x_forwarded_for=f"1.2.3.{number}")
    assert join(open_door, "ABC234", x_forwarded_for="9.9.9.9").status == 429, "without a proxy anybody may write it"


def test_guesses_from_many_addresses_are_stopped_together_and_forgotten_after_a_minute():
    tries = Tries()
    for number in range(FROM_ALL):
        tries.count(str(number), now=100.0)
    assert not tries.left("new", now=120.0)
    assert tries.left("new", now=161.0)


def test_a_program_fills_no_memory_with_uploads():
    door = Door(inside, Classroom(SECRET, "ABC234", "T" * 12, hosts=("localhost",), limits=Limits(upload_mb=1)))

    def put(visitor, size):
        path = "/_stcore/upload_file/1/2"
        return ask(door, path, method="PUT", cookie=carried(visitor), content_length=size).status

    assert [put(ADA, "1200000"), put(ADA, "900000"), put(ADA, "700000")] == [200, 429, 200]
    assert put(Visitor("b" * 20, "Bob"), "1200000") == 200
    assert [put(ADA, None), put(ADA, "-5"), put(ADA, "x")] == [429, 429, 429], "a size must be said"
    volume = Volume(1)
    assert volume.let("a", 2_000_000, now=0.0)
    assert not volume.let("a", 1, now=3_500.0)
    assert volume.let("a", 1, now=3_700.0)


def test_where_people_log_in_the_pages_ask_and_there_is_no_code():
    door = Door(inside, Classroom(SECRET, "ABC234", "T" * 12, hosts=("localhost",), login=True))
    assert ask(door, "/").text == "the dashboard"
    assert join(door, "ABC234").text == "the dashboard"
    assert ask(door, "/", host="evil.example").status == 403


def test_answers_are_in_no_other_sites_frame():
    door = Door(inside, CLASS)
    for answer in (ask(door, "/", cookie=carried()), ask(door, "/join"), ask(door, "/")):
        assert answer.headers["x-frame-options"] == "SAMEORIGIN"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_broken_cookie_is_none():
    assert ask(Door(inside, CLASS), "/", cookie=f'{COOKIE}="; \x01=').status == 303
