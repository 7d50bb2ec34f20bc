"""A visitor without a browser: joins a class, opens a session by Streamlit's own protocol, walks over the pages."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

if TYPE_CHECKING:
    import random
    import ssl
    from collections.abc import Iterator

    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
    from websockets.asyncio.client import ClientConnection

PATIENCE = 120.0  # seconds for one answer; more is a fault
LARGEST = 2**27  # bytes of a message
ENTRY, DEMO = "", "Forget the 3s"


@dataclass(frozen=True)
class Answer:
    """One page's answer.

    Attributes:
        page: the page's name.
        at: seconds of the monotonic clock when it was asked for.
        seconds: until its script had ended and everything drawn was here.
    """

    page: str
    at: float
    seconds: float


@dataclass
class Seen:
    """What all visitors saw together.

    Attributes:
        answers: of pages.
        redrawn: how often parts of pages were drawn again by themselves.
        megabytes: that came.
        alerts: sentences in red, which a page may show.
        faults: what must not be.
    """

    answers: list[Answer] = field(default_factory=list)
    redrawn: int = 0
    megabytes: float = 0.0
    alerts: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)


def call(url: str, trust: ssl.SSLContext | None = None) -> contextlib.closing[http.client.HTTPConnection]:
    """Open a connection to a server, by TLS where its address says so; `trust` says whose certificates are good."""
    place = urlsplit(url)
    where = (place.hostname or "", place.port)
    if place.scheme == "https":
        return contextlib.closing(http.client.HTTPSConnection(*where, timeout=PATIENCE, context=trust))
    return contextlib.closing(http.client.HTTPConnection(*where, timeout=PATIENCE))


def join(url: str, name: str, code: str, trust: ssl.SSLContext | None = None) -> str:
    """Tell the code at the door; return the cookie, with all that is said about it.

    Raises:
        PermissionError: the door stays shut.
    """
    with call(url, trust) as door:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        door.request("POST", "/join", urlencode({"name": name, "code": code}), headers)
        told = door.getresponse()
        kept = told.getheader("Set-Cookie")
    if told.status != 303 or kept is None:
        raise PermissionError(f"the door answered {told.status}")
    return kept


class Pupil:
    """A session, as a browser has it: asks for pages, and again for the parts that ask to be drawn by themselves."""

    def __init__(self, url: str, cookie: str, seen: Seen, trust: ssl.SSLContext | None = None) -> None:
        """Take the dashboard's address, the cookie of the one who comes, and where to write down what is seen."""
        self._url, self._cookie, self._seen, self._trust = url, cookie.partition(";")[0], seen, trust
        self._socket: ClientConnection | None = None
        self._timers: dict[str, asyncio.Task[None]] = {}
        self._kept: set[str] = set()
        self._ended = asyncio.Event()
        self._hash, self._address = "", ""
        self.session = ""
        self.pages: dict[str, str] = {}
        self.buttons: dict[str, str] = {}
        self._reader: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the dashboard, as somebody does who types its address; wait for the first page."""
        address = self._url.replace("http", "ws", 1) + "/_stcore/stream"
        headers = {"Cookie": self._cookie, "Origin": self._url}
        self._socket = await connect(
            address,
            subprotocols=["streamlit"],
            additional_headers=headers,
            max_size=LARGEST,
            open_timeout=PATIENCE,
            ping_interval=None,  # browsers send none; the server does, and ends what does not answer
            ssl=self._trust,
        )
        self._reader = asyncio.create_task(self._read())
        await self._ask("Overview (opened)")

    async def go(self, name: str) -> None:
        """Follow the link to a page, and wait until all of it is here."""
        assert name in self.pages, f"{name!r} is none of {sorted(self.pages)}"
        self._hash, self._address = self.pages[name], ""
        await self._ask("Overview" if name == ENTRY else name)

    async def press(self, label: str) -> None:
        """Press a button of this page, and wait for what comes of it."""
        await self._ask(f"[{label}]", pressed=self.buttons[label])

    async def close(self) -> None:
        """Leave, as a browser does whose window is closed."""
        self._stop_timers()
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            await self._reader

    async def _ask(self, name: str, pressed: str = "") -> None:
        began = time.monotonic()
        self._ended.clear()
        await self._send(pressed=pressed)
        try:
            await asyncio.wait_for(self._ended.wait(), PATIENCE)
        except TimeoutError:
            self._seen.faults.append(f"{name}: no answer within {PATIENCE:.0f} s, asked at {time.strftime('%X')}")
        self._seen.answers.append(Answer(name, began, time.monotonic() - began))

    async def _send(self, fragment: str = "", pressed: str = "") -> None:
        from streamlit.proto.BackMsg_pb2 import BackMsg

        message = BackMsg()
        asked = message.rerun_script
        asked.query_string, asked.page_script_hash = self._address, self._hash
        asked.fragment_id, asked.is_auto_rerun = fragment, bool(fragment)
        asked.cached_message_hashes.extend(self._kept)
        if pressed:
            asked.widget_states.widgets.add(id=pressed, trigger_value=True)
        if self._socket is not None:
            await self._socket.send(message.SerializeToString())

    async def _read(self) -> None:
        """Take in what comes until the session ends."""
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

        assert self._socket is not None
        try:
            async for content in self._socket:
                self._seen.megabytes += len(content) / 1e6
                self._take(ForwardMsg.FromString(content))
        except ConnectionClosed as error:
            self._seen.faults.append(f"the session broke off: {error}")
            self._ended.set()

    def _take(self, message: ForwardMsg) -> None:
        if message.metadata.cacheable:
            self._kept.add(message.hash)
        kind = message.WhichOneof("type")
        if kind == "new_session" and not message.metadata.run.fragment_ids:
            self._begin(message)
        elif kind == "script_finished":
            self._end(message)
        elif kind == "auto_rerun":
            self._repeat(message.auto_rerun.fragment_id, message.auto_rerun.interval)
        elif kind == "stop_auto_rerun":
            self._stop_timers(message.stop_auto_rerun.fragment_ids)
        elif kind == "navigation":
            self.pages = {page.url_pathname: page.page_script_hash for page in message.navigation.app_pages}
        elif kind == "page_info_changed":
            self._address = message.page_info_changed.query_string
        else:
            self._look(message)

    def _begin(self, message: ForwardMsg) -> None:
        """Begin a page anew."""
        self._stop_timers()
        self.buttons.clear()
        self._hash = message.new_session.page_script_hash
        self.session = message.new_session.initialize.session_id or self.session

    def _end(self, message: ForwardMsg) -> None:
        """Note that a page is here, or a part of one; one that gave way to another run goes on."""
        if message.script_finished == message.FINISHED_FRAGMENT_RUN_SUCCESSFULLY:
            self._seen.redrawn += 1
        elif message.script_finished != message.FINISHED_EARLY_FOR_RERUN:
            self._ended.set()

    def _look(self, message: ForwardMsg) -> None:
        """Look for what must not be on a page, and for its buttons."""
        if message.WhichOneof("type") == "session_event":
            event = message.session_event
            if event.WhichOneof("type") == "script_compilation_exception":
                self._seen.faults.append(event.script_compilation_exception.message)
        if message.WhichOneof("type") == "page_not_found":
            self._seen.faults.append(f"page not found: {message.page_not_found.page_name}")
        for element in _elements(message):
            if element.HasField("exception"):
                self._seen.faults.append(f"{element.exception.type}: {element.exception.message}")
            elif element.HasField("alert") and element.alert.format == element.alert.ERROR:
                self._seen.alerts.add(element.alert.body)
            elif element.HasField("button"):
                self.buttons[element.button.label] = element.button.id

    def _repeat(self, fragment: str, every: float) -> None:
        """Ask for a part again and again, as a browser does."""

        async def asking() -> None:
            with contextlib.suppress(ConnectionClosed):  # the reader says so
                while True:
                    await asyncio.sleep(every)
                    await self._send(fragment=fragment)

        self._stop_timers([fragment])
        self._timers[fragment] = asyncio.create_task(asking())

    def _stop_timers(self, fragments: list[str] | None = None) -> None:
        for fragment in list(self._timers) if fragments is None else fragments:
            timer = self._timers.pop(fragment, None)
            if timer is not None:
                timer.cancel()


def _elements(message: ForwardMsg) -> Iterator:
    """Yield what a message draws."""
    if message.WhichOneof("type") == "delta" and message.delta.WhichOneof("type") == "new_element":
        yield message.delta.new_element


async def walk(pupil: Pupil, rng: random.Random, until: float, think: tuple[float, float], *, runs: bool) -> None:
    """Go from page to page as somebody in a lesson does, until a time of the monotonic clock.

    Args:
        pupil: whose session it is; it is opened here, and closed.
        rng: chooses the pages.
        until: when to leave.
        think: shortest and longest time on a page, seconds.
        runs: whether to press the demo's button once, so that a run is queued.
    """
    await pupil.open()
    if runs:
        await _think(rng, until, think)
        await pupil.go(ENTRY)
        await pupil.press(DEMO)
    while time.monotonic() < until:
        await _think(rng, until, think)
        if time.monotonic() >= until:  # else all would ask for a last page in the same moment
            break
        if rng.random() < 0.03:  # reloads: another session, while the server still keeps the old one
            await pupil.close()
            await pupil.open()
        else:
            await pupil.go(rng.choice(list(pupil.pages)))
    await pupil.close()


async def _think(rng: random.Random, until: float, think: tuple[float, float]) -> None:
    await asyncio.sleep(min(rng.uniform(*think), max(0.0, until - time.monotonic())))
