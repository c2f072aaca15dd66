"""The gateway before Streamlit's server: host and origin checks, and limits on connections and uploads.

- A request or WebSocket for an unknown host or from another site is refused. Streamlit would query an outside host for
  the address of this computer before it refuses such a WebSocket, inside the event loop.
- Only uploads may have a body, from sessions to which a page has shown an uploader, limited in size and time.
- Other sites may not embed the app in a frame.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from workbench.markup import render
from workbench.server import access
from workbench.server.connections import files_left
from workbench.server.visitors import address as address_of

from . import streamlit_internals, uploads
from .streamlit_internals import is_allowed_origin, is_host_allowed

HOSTS = ["127.0.0.1", "localhost", "::1"]  # if the settings have none
SESSIONS = 160  # WebSockets in all; of one address three eighths of them
SESSION_FILES = 4  # that Streamlit opens for a session, besides its connection
BODIES, BODIES_EACH = 24, 6  # concurrent uploads
BODY_SECONDS, SLOWEST = 20.0, 100_000  # seconds for an upload, plus one second for so many bytes
METHODS = ("GET", "HEAD", "OPTIONS")


class Gateway:
    """The ASGI application before Streamlit's.

    Args:
        app: Streamlit's application.
        files: the stored uploads by session and id; by default those of Streamlit's runtime.
    """

    def __init__(self, app: ASGIApp, files: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self.app = app
        self._base = "/" + (st.get_option("server.baseUrlPath") or "").strip("/")
        self._files = files
        self._ledger: uploads.Ledger | None = None
        self.most = most_sessions()
        self.each = max(2, self.most * 3 // 8)
        self._sessions: Counter[str] = Counter()
        self._bodies: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket, or refuse it with a message."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._http(scope, receive, _unframed(scope, send))

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers, address = Headers(scope=scope), address_of(scope)
        host, origin = headers.get("host"), headers.get("origin")
        full = self._sessions.total() >= self.most or self._sessions[address] >= self.each
        if full or not is_host_allowed(host) or not same_site(origin, host):
            await send({"type": "websocket.close", "code": 1008})
            return
        if origin is not None:  # as if from the same host: what Streamlit lets in without a look at other addresses
            raw = [(name, value) for name, value in scope["headers"] if name != b"origin"]
            scope = {**scope, "headers": [*raw, (b"origin", f"http://{host}".encode("latin-1"))]}
        self._sessions[address] += 1
        try:
            await self.app(scope, _expected(receive), send)
        finally:
            _count_down(self._sessions, address)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = Headers(scope=scope).get("host")
        if not is_host_allowed(host):
            await HTMLResponse(_no_such_host(host), 421)(scope, receive, send)
        elif scope["method"] in METHODS:
            await self.app(scope, receive, send)
        elif scope["method"] in ("PUT", "DELETE") and (session := self._session(scope["path"])):
            await self._upload(session, scope, receive, send)
        else:
            await _refuse(405, "This address does not accept data.")(scope, receive, send)

    def _session(self, path: str) -> str | None:
        """The session of an upload path in exactly Streamlit's form; None for any other path."""
        named = streamlit_internals.UPLOAD.fullmatch(path.removeprefix(self._base.rstrip("/")))
        return named[1] if named else None

    async def _upload(self, session: str, scope: Scope, receive: Receive, send: Send) -> None:
        if self._ledger is None:
            self._ledger = uploads.Ledger(streamlit_internals.held_uploads() if self._files is None else self._files)
        length, address = Headers(scope=scope).get("content-length", ""), address_of(scope)
        if refusal := self._refusal(session, address, length, scope["method"]):
            if refusal[0] in (413, 503):  # a browser shows why only if it could send everything
                await _discard(receive, BODY_SECONDS)
            await _refuse(*refusal)(scope, receive, send)
            return
        size = int(length) if scope["method"] == "PUT" else 0
        self._ledger.begin(session, address, size)
        self._bodies[address] += 1
        try:
            await _in_time(self.app, scope, receive, send, BODY_SECONDS + size / SLOWEST)
        finally:
            self._ledger.end(session, size)
            _count_down(self._bodies, address)

    def _refusal(self, session: str, address: str, length: str, method: str) -> tuple[int, str] | None:
        """Status and message if an upload or its removal is refused; None if it is accepted."""
        if not uploads.permitted(session):
            return 403, "This page has no upload. Open one that has, and accept its consent notice first."
        if self._bodies.total() >= BODIES or self._bodies[address] >= BODIES_EACH:
            return 429, "Too many uploads at the same time. Try again in a few seconds."
        if method == "DELETE":
            return None
        if not length.isascii() or not length.isdecimal():
            return 411, "An upload needs a Content-Length header."
        if int(length[:18]) > (st.get_option("server.maxUploadSize") + 1) * uploads.MIB:
            return 413, f"The file is larger than {st.get_option('server.maxUploadSize')} MB."
        assert self._ledger is not None
        return self._ledger.refusal(session, address, int(length))


def most_sessions() -> int:
    """The maximum number of visitors connected at the same time."""
    return min(SESSIONS, max(4, files_left() // 2 // SESSION_FILES))


def set_up() -> None:
    """Apply limits that Streamlit has no settings for; call it before the app is created."""
    streamlit_internals.forbid_external_ip()
    streamlit_internals.keep_sessions(most_sessions() // 2)
    streamlit_internals.set_allowed_hosts(HOSTS)


def same_site(origin: str | None, host: str | None) -> bool:
    """Whether a WebSocket comes from a page of this app or from an origin in the settings.

    Args:
        origin: the Origin header; programs send none, which is allowed.
        host: the Host header.
    """
    if origin is None:
        return True
    try:
        parsed = urlsplit(origin)
        name = parsed.hostname
    except ValueError:
        return False
    if parsed.scheme not in ("http", "https") or not name:
        return False
    return parsed.netloc.lower() == (host or "").lower() or access.is_host_name(name) or is_allowed_origin(origin)


async def _in_time(app: ASGIApp, scope: Scope, receive: Receive, send: Send, seconds: float) -> None:
    """Serve a request; refuse it if its body takes too long."""
    started = False

    async def watched(message: Message) -> None:
        nonlocal started
        started = started or message["type"] == "http.response.start"
        await send(message)

    try:
        async with asyncio.timeout(seconds):
            await app(scope, receive, watched)
    except TimeoutError:
        if not started:
            await _refuse(408, "The upload took too long. Try again with a smaller file.")(scope, receive, send)


async def _discard(receive: Receive, seconds: float) -> None:
    """Read and discard a body, for at most so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive()).get("more_body"):
                pass
    except TimeoutError:
        return


def _expected(receive: Receive) -> Receive:
    """A `receive` that drops WebSocket messages which no page of the app sends."""

    async def expected() -> Message:
        while True:
            message = await receive()
            if message["type"] != "websocket.receive" or streamlit_internals.is_expected(message.get("bytes")):
                return message

    return expected


def _unframed(scope: Scope, send: Send) -> Send:
    """A `send` that forbids other sites to embed responses in a frame; Streamlit itself embeds custom components."""
    component = streamlit_internals.COMPONENT in scope["path"]
    who, old = ("'self'", "SAMEORIGIN") if component else ("'none'", "DENY")

    async def framed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Content-Security-Policy"] = f"frame-ancestors {who}"
            headers["X-Frame-Options"] = old  # for browsers that do not know the other
        await send(message)

    return framed


def _no_such_host(host: str | None) -> str:
    name = named[0] if (named := re.match(r"[\w.-]{1,200}", host or "", re.ASCII)) else "NAME"
    return render("unknown_host.html", host=(host or "no name")[:200], name=name)


def _refuse(status: int, sentence: str) -> JSONResponse:
    """A response that closes the connection, since the body is not read."""
    return JSONResponse({"detail": sentence}, status, headers={"Connection": "close"})


def _count_down(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
