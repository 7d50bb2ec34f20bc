"""What stands before Streamlit when a dashboard is shared: no page, no upload and no WebSocket without a pass.

It is ASGI middleware, which `st.App` takes (Streamlit 1.67): Streamlit itself can read cookies, not set them.
"""

from __future__ import annotations

import asyncio
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

from ui.door.join_page import join_page
from ui.door.tries import Tries
from ui.door.volume import Volume
from zspag_core.visitors.passes import COOKIE, DAYS, Visitor, new_visitor, read_pass, role_of, tidy_name, write_pass

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from zspag_core.visitors.classroom import Classroom

    Message = MutableMapping[str, Any]
    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

JOIN, HEALTH, UPLOAD = "/join", "/_stcore/health", "/_stcore/upload_file"
FORM_BYTES = 4_000
POLICY = {"X-Frame-Options": "SAMEORIGIN", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}
WRONG = "That is not the code of this class. It stands on the teacher's screen."
NAMELESS = "Say what you want to be called."
TOO_MANY = "Too many wrong codes from here: wait a minute, then try again."


class Door:
    """Lets those with a pass through to the dashboard, and gives one to those who tell the code."""

    def __init__(self, app: App, classroom: Classroom) -> None:
        """Stand before an ASGI app."""
        self._app, self._class, self._tries = app, classroom, Tries()
        self._volume = Volume(classroom.limits.upload_mb)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or let it through."""
        if scope["type"] not in {"http", "websocket"} or scope["path"] == HEALTH:
            await self._app(scope, receive, send)
        elif not self._comes_here(scope):
            await _refuse(scope, receive, send, 403, "This dashboard has another address.")
        elif scope["type"] == "http" and scope["path"] == JOIN and not self._class.login:
            await self._join(scope, receive, send)
        elif not self._has_room(scope):
            await _refuse(scope, receive, send, 429, "That is more than each may upload an hour.")
        elif self._class.login or self._known(scope) is not None:
            await self._app(scope, receive, _with_policy(send))
        elif scope["type"] == "http" and scope["method"] == "GET" and "text/html" in _header(scope, "accept"):
            meant = scope["path"] + (f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else "")
            await _answer(send, 303, "", {"Location": f"{JOIN}?next={quote(meant, safe='')}"})
        else:
            await _refuse(scope, receive, send, 401, "Join the class first.")

    def _comes_here(self, scope: Scope) -> bool:
        """Tell whether a request names this server, and comes from no other site's page."""
        hosts = {_header(scope, "host"), *filter(None, [urlsplit(_header(scope, "origin")).netloc])}
        return all(_name_of(host) in self._class.hosts for host in hosts)

    def _has_room(self, scope: Scope) -> bool:
        """Tell whether a request is no upload, or one of a size that is said and let through."""
        if scope["type"] != "http" or not scope["path"].startswith(UPLOAD) or scope["method"] not in {"PUT", "POST"}:
            return True
        known, size = self._known(scope), _header(scope, "content-length")
        who = known.id if known is not None else self._address(scope)
        return size.isdecimal() and self._volume.let(who, int(size))

    def _known(self, scope: Scope) -> Visitor | None:
        """Return whose pass a request carries."""
        try:
            kept = SimpleCookie(_header(scope, "cookie")).get(COOKIE)
        except CookieError:
            return None
        return read_pass(kept.value, self._class.secret) if kept is not None else None

    async def _join(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Show the page that asks for the code, or take what was told there."""
        known = self._known(scope)
        asked = parse_qs(scope["query_string"].decode("latin-1"))
        after = _own_address(asked.get("next", ["/"])[0])
        if scope["method"] != "POST":
            await _answer(send, 200, join_page(after, name=known.name if known else ""))
            return
        answer = parse_qs((await _body(receive)).decode("utf-8", "replace"))
        name, code = tidy_name(answer.get("name", [""])[0]), answer.get("code", [""])[0]
        visitor, status, why = self._judge(self._address(scope), name, code, known)
        if visitor is None:
            await asyncio.sleep(0.2)
            await _answer(send, status, join_page(after, name=name, why=why))
            return
        await _answer(send, 303, "", {"Location": after, "Set-Cookie": self._cookie(visitor)})

    def _judge(self, address: str, name: str, code: str, known: Visitor | None) -> tuple[Visitor | None, int, str]:
        """Return who may come in; else None with the status and the reason."""
        if not self._tries.left(address):
            return None, 429, TOO_MANY
        role = role_of(code, self._class)
        if role is None:
            self._tries.count(address)
            return None, 403, WRONG
        if not name:
            return None, 422, NAMELESS
        return new_visitor(name, teacher=role == "teacher", known=known), 303, ""

    def _address(self, scope: Scope) -> str:
        """Return the address a request comes from; behind the proxy, what the proxy says last."""
        forwarded = _header(scope, "x-forwarded-for").rpartition(",")[2].strip() if self._class.secure else ""
        return forwarded or str((scope.get("client") or ("?",))[0])

    def _cookie(self, visitor: Visitor) -> str:
        """Return the header that leaves a pass with a browser; no script can read it."""
        secure = "; Secure" if self._class.secure else ""
        kept = write_pass(visitor, self._class.secret)
        return f"{COOKIE}={kept}; Path=/; Max-Age={DAYS * 86_400}; HttpOnly; SameSite=Lax{secure}"


def _name_of(host: str) -> str:
    """Return the name in a Host header, without the port; empty where it is none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _own_address(text: str) -> str:
    """Return an address within this dashboard; the start page in place of any other."""
    parts = urlsplit(text)
    harmless = text.startswith("/") and not text.startswith(("//", "/\\")) and not parts.netloc and text.isprintable()
    return text if harmless and parts.path != JOIN else "/"


def _header(scope: Scope, name: str) -> str:
    """Return a request's header, empty where it has none; several are joined as HTTP/2 splits cookies."""
    found = [value.decode("latin-1") for key, value in scope["headers"] if key.decode("latin-1").lower() == name]
    return "; ".join(found)


async def _body(receive: Receive) -> bytes:
    """Return the body of a request, as far as a form can need it."""
    body, more = b"", True
    while more and len(body) < FORM_BYTES:
        message = await receive()
        body += message.get("body", b"")
        more = bool(message.get("more_body"))
    return body[:FORM_BYTES]


def _with_policy(send: Send) -> Send:
    """Add to every answer what browsers shall not do with it."""
    added = [(name.lower().encode(), value.encode()) for name, value in POLICY.items()]

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *added]}
        await send(message)

    return sending


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, why: str) -> None:
    """Say no: to a WebSocket before it is open."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
    else:
        await _answer(send, status, why, {"Content-Type": "text/plain; charset=utf-8"})


async def _answer(send: Send, status: int, text: str, headers: dict[str, str] | None = None) -> None:
    """Send a whole answer; what it says is kept by no cache."""
    given = {"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", **POLICY, **(headers or {})}
    encoded = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in given.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": text.encode()})
