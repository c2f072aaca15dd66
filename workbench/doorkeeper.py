"""Stands before the public demo: lets in what the demo needs, and no more of it than this computer can bear.

Gradio has no limit on requests, answers to dozens of addresses that the demo does not use, and would fetch a file from
any address that a request names. So each request passes here first:

- only the addresses in `NEEDED` exist;
- work is limited for all visitors together, because a tunnel hides who is who (a token bucket);
- a body has at most `MAX_BODY` bytes, comes within `BODY_SECONDS`, and names no file but an uploaded one;
- an uploaded file is given back, and explained, only in the browser that brought it.

Plain ASGI: it knows nothing of Gradio but the shape of its requests.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

API = "/gradio_api/"
FILE = f"{API}file="
UPLOAD = f"{API}upload"
PAGES = ("/", "/config", "/theme.css", "/favicon.ico", "/robots.txt", "/manifest.json", "/login", "/logout")
NEEDED = (
    *("/assets/", "/static/", "/svelte/", f"{API}info", f"{API}startup-events", f"{API}heartbeat/", f"{API}cancel"),
    *(
        f"{API}queue/",
        f"{API}call/predict",
        f"{API}call/explain",
        f"{API}stream/",
        f"{API}reset",
        f"{API}login_check",
        f"{API}app_id",
        UPLOAD,
        FILE,
    ),
)
"""The beginnings of the addresses that the demo's page and its two functions need."""
WORK = (UPLOAD, f"{API}call/", f"{API}queue/join")
MAX_BODY = 6 * 1024**2  # bytes: a picture of 5 MB, and what is round it
MAX_BODIES = 24  # that are read at the same time: together at most 144 MB
BODY_SECONDS = 20.0
KEPT_SECONDS = 900.0  # after which an uploaded file is gone
COOKIE = "ferscope_visitor"

BUSY = "Too many visitors ask at once. Wait some seconds and try again."
TOO_LARGE = "This is larger than 5 MB. Save the picture smaller, or take a photo with the camera."
TOO_SLOW = "This took too long to arrive. Try again, perhaps with a smaller picture."
NOT_OURS = "Only a picture that was uploaded here can be used. Upload it first, then name the file that came back."
NOT_JSON = "This request could not be read: its body must be JSON, not nested too deeply."
NO_UPLOADS = "Here only the sample faces can be used: uploads are switched off."


@dataclass
class Bucket:
    """A token bucket: `burst` requests at once, then `rate` a second.

    Attributes:
        rate: tokens that come back a second.
        burst: the most that are kept.
    """

    rate: float
    burst: float
    _tokens: float | None = None
    _at: float = 0.0

    def take(self) -> bool:
        """Take one token; False where there is none."""
        now = time.monotonic()
        kept = self.burst if self._tokens is None else self._tokens + (now - self._at) * self.rate
        self._at, self._tokens = now, min(self.burst, kept)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


@dataclass
class Doorkeeper:
    """The ASGI application that stands before another one.

    Attributes:
        app: the demo.
        uploads: folder of the uploaded files.
        open_uploads: whether pictures may be uploaded at all.
        work: limit of uploads and questions, of all visitors together.
        frames: limit of camera frames.
        visitors: browsers that have the page open now.
        answered, refused: requests for work so far.
    """

    app: Callable[[Message, Receive, Send], Awaitable[None]]
    uploads: Path
    open_uploads: bool = True
    work: Bucket = field(default_factory=lambda: Bucket(rate=25, burst=75))
    frames: Bucket = field(default_factory=lambda: Bucket(rate=60, burst=60))
    visitors: int = 0
    answered: int = 0
    refused: int = 0
    _reading: int = 0
    _owners: OrderedDict[str, tuple[float, frozenset[str]]] = field(default_factory=OrderedDict)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it with a sentence."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return  # the demo uses no web sockets
        refusal, receive = await self._checked(scope, receive)
        if refusal:
            self.refused += 1
            await _refuse(send, *refusal)
            return
        await self._serve(scope, receive, send)

    async def _checked(self, scope: Message, receive: Receive) -> tuple[tuple[int, str] | None, Receive]:
        """Why a request is refused (None: it is not), and its body, to be received once more."""
        path = unquote(scope["path"])
        if path not in PAGES and not path.startswith(NEEDED):
            return (404, "There is no such page here."), receive
        if path.startswith(FILE):
            allowed = self._may_have(path.removeprefix(FILE), scope)
            return (None if allowed else (404, "There is no such file here.")), receive
        if path.startswith((UPLOAD, f"{API}call/")) and not self.open_uploads:
            return (403, NO_UPLOADS), receive
        if scope["method"] != "POST":
            return None, receive
        if not self._has_room(path):
            return (429, BUSY), receive
        self._reading += 1
        try:
            body = await asyncio.wait_for(_body(scope, receive), BODY_SECONDS)
        except TimeoutError:
            return (408, TOO_SLOW), receive
        finally:
            self._reading -= 1
        if body is None:
            return (413, TOO_LARGE), receive
        return self._why_not(path, scope, body), _again(body, receive)

    def _has_room(self, path: str) -> bool:
        """Whether one more request with a body can be borne."""
        if self._reading >= MAX_BODIES:
            return False
        if path.startswith(f"{API}stream/"):
            return self.frames.take()
        return not path.startswith(WORK) or self.work.take()

    def _why_not(self, path: str, scope: Message, body: bytes) -> tuple[int, str] | None:
        """Why a body is refused: it is no JSON, or names a file that this visitor did not bring."""
        if not body or not path.startswith(API) or path.startswith(UPLOAD):
            return None
        try:
            named = list(_files_in(json.loads(body)))
        except (ValueError, RecursionError):
            return 400, NOT_JSON
        return None if all(self._may_have(file, scope) for file in named) else (400, NOT_OURS)

    def _may_have(self, file: str, scope: Message) -> bool:
        """Whether a request may have a file: one of the demo's own, brought by this browser or by a programme."""
        inside = Path(file).is_absolute() and ".." not in Path(file).parts and self.uploads in Path(file).parents
        owners = self._owners.get(file, (0.0, None))[1]
        return inside and (owners is None or _cookie(scope) in owners)

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        path, visitor = scope["path"], _cookie(scope)
        here = path.startswith(f"{API}heartbeat/")
        new = secrets.token_urlsafe(24) if path == "/" and not visitor else None
        self.answered += scope["method"] == "POST" and path.startswith(WORK)
        self.visitors += here

        async def watched(message: Message) -> None:
            if new and message["type"] == "http.response.start":
                cookie = f"{COOKIE}={new}; Path=/; HttpOnly; SameSite=Lax"
                message["headers"] = [*message.get("headers", []), (b"set-cookie", cookie.encode())]
            if visitor and path.startswith(UPLOAD) and message["type"] == "http.response.body":
                self._remember(message.get("body", b""), visitor)
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            self.visitors -= here

    def _remember(self, body: bytes, visitor: str) -> None:
        """Who brought the files that an answer to an upload names."""
        try:
            files = json.loads(body)
        except ValueError:
            return
        now = time.monotonic()
        for file in files if isinstance(files, list) else []:
            _, others = self._owners.pop(file, (now, frozenset()))  # who brought the very same picture
            self._owners[file] = (now, others | {visitor})
        while self._owners and now - next(iter(self._owners.values()))[0] > KEPT_SECONDS:
            self._owners.popitem(last=False)


def _files_in(value: Any) -> Iterator[str]:
    """Every file or address that a request's JSON names."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "path" and inner is not None:
                yield str(inner)
            elif key == "url" and isinstance(inner, str) and not inner.startswith("data:"):
                yield unquote(inner.partition(FILE)[2])
            else:
                yield from _files_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _files_in(inner)


async def _body(scope: Message, receive: Receive) -> bytes | None:
    """The whole body of a request; None where it is too large or the visitor went away."""
    if any(name == b"content-length" and int(value) > MAX_BODY for name, value in scope["headers"] if value.isdigit()):
        return None
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        more = message.get("more_body", False)
        if size > MAX_BODY:
            return None
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that hands out a body that was read already, then whatever comes next."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def first() -> Message:
        return waiting.pop() if waiting else await receive()

    return first


def _cookie(scope: Message) -> str | None:
    """The visitor's own random name; None for a programme, or at the first request."""
    for name, value in scope["headers"]:
        if name == b"cookie":
            for pair in value.decode("latin-1").split(";"):
                key, _, content = pair.strip().partition("=")
                if key == COOKIE:
                    return content
    return None


async def _refuse(send: Send, status: int, sentence: str) -> None:
    headers = [(b"content-type", b"application/json"), (b"retry-after", b"5")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"detail": sentence, "error": sentence}).encode()})
