"""The gateway before the public demo: it accepts only the requests that the demo needs, and limits them.

Gradio has no limit on requests, responds to dozens of addresses that the demo does not use, and would fetch a file from
any address in a request. So each request passes here first:

- only the addresses in `NEEDED` exist, and only under the names of this computer;
- work is limited for all visitors together by a token bucket, because a tunnel hides their addresses; sessions, open
  responses and uploads are limited for each visitor too;
- a body has a limited size, arrives in time, and refers to no file but an uploaded one;
- a photo of more than 5 MB is scaled down before it is kept;
- an uploaded image stays in memory and is only available to the browser that uploaded it;
- wrong passwords lock their address for a while;
- no other page may embed the demo in a frame, except the one that it was started with.

Plain ASGI: it depends on nothing of Gradio but the format of its requests.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..server.attempts import Attempts, refusal
from ..server.bodies import BUSY, MAX_BODY, MAX_UPLOAD, Bodies, RequestError, again, of_length
from ..server.bounded import BoundedStore, Limits
from ..server.rates import Bucket
from ..server.visitors import COOKIE, Visitors, address, is_address, stands_for_many
from .scaling import Scaler
from .sessions import Sessions
from .uploads import FILE, Uploads, files_of, media_type

API = "/gradio_api/"
UPLOAD = f"{API}upload"
PROGRESS = f"{API}upload_progress"
HEARTBEAT = f"{API}heartbeat/"
CALL = f"{API}call/"
JOIN = f"{API}queue/join"
PAGES = ("/", "/config", "/theme.css", "/favicon.ico", "/robots.txt", "/manifest.json", "/login", "/logout")
NEEDED = (
    *("/assets/", "/static/", "/svelte/"),
    *(f"{API}{name}" for name in ("info", "startup-events", "heartbeat/", "cancel", "queue/", "stream/", "reset")),
    *(f"{API}{name}" for name in ("call/predict", "call/explain", "login_check", "app_id")),
    UPLOAD,
    FILE,
)
"""Prefixes of the addresses that the demo's page and its two API functions need."""
WORK = (UPLOAD, CALL, JOIN)
OPEN = (HEARTBEAT, f"{API}queue/data", CALL)  # responses to GET that stay open

NOT_OURS = "Only an image that was uploaded here can be used. Upload it first, then send the path that was returned."
NOT_JSON = "This request could not be read: its body must be JSON, not nested too deeply."
NO_UPLOADS = "Here only the sample faces can be used: uploads are switched off."
NO_PAGE = "There is no such page here."
NO_FILE = "This file does not exist here, or it was deleted."
NO_LOGIN = "Log in first."


@dataclass
class Gateway:
    """The ASGI application before another one.

    Attributes:
        app: the demo.
        uploads: the uploaded images.
        sessions: the pages and API clients that use it.
        open_uploads: whether images may be uploaded.
        password: whether visitors log in.
        hosts: names under which it is reached, besides localhost and any address; None: any name.
        framed_by: origin of the page that may embed it; None: no page.
        work: limit of uploads and requests for a prediction or explanation, of all visitors together.
        frames: limit of camera frames.
        shares: limits of both for each visitor, so that one does not use up those of all.
        visitors: browsers that have the page open now.
        served, refused: requests for work so far.
    """

    app: ASGIApp
    uploads: Uploads
    sessions: Sessions
    open_uploads: bool = True
    password: bool = False
    hosts: frozenset[str] | None = None
    framed_by: str | None = None
    work: Bucket = field(default_factory=lambda: Bucket(rate=25, burst=75))
    frames: Bucket = field(default_factory=lambda: Bucket(rate=60, burst=60))
    shares: BoundedStore[Bucket] = field(default_factory=lambda: BoundedStore(Limits(total=2000, share=2)))
    attempts: Attempts = field(default_factory=Attempts)
    bodies: Bodies = field(default_factory=Bodies)
    scaler: Scaler = field(default_factory=Scaler)
    cookies: Visitors = field(default_factory=Visitors)
    visitors: int = 0
    served: int = 0
    refused: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it with a message."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":  # the demo uses none
            await send({"type": "websocket.close", "code": 1008})
        else:
            scope = {**scope, "visitor": self._visitor(scope)}  # the page counts by it too
            send = self._with_headers(scope, send)
            try:
                await self._respond(scope, receive, send)
            except RequestError as error:
                self.refused += 1
                body = {"detail": error.sentence, "error": error.sentence}
                headers = {"Retry-After": str(max(1, round(error.seconds)))}
                await JSONResponse(body, error.status, headers)(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = unquote(scope["path"])
        self._check_host(Headers(scope=scope).get("host", ""))
        if path not in PAGES and not path.startswith(NEEDED):
            raise RequestError(404, NO_PAGE)
        if path.startswith((UPLOAD, CALL)) and not self.open_uploads:
            raise RequestError(403, NO_UPLOADS)
        if path.startswith(FILE):
            await self._file(path.removeprefix(FILE), scope, receive, send)
        elif path == PROGRESS:  # an upload has arrived before Gradio could hear of it
            await Response('data: {"msg": "done"}\n\n', media_type="text/event-stream")(scope, receive, send)
        elif scope["method"] == "POST":
            await self._post(path, scope, receive, send)
        elif path.startswith(OPEN):
            await self._open(path, scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _post(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._has_room(path, scope):
            raise RequestError(429, BUSY)
        body = await self.bodies.read(scope, receive, MAX_UPLOAD if path == UPLOAD else MAX_BODY)
        if path == UPLOAD:
            await self._upload(body, scope, receive, send)
        elif path == "/login" and self.password:
            await self._login(scope, again(body, receive), send)
        else:
            if path.startswith(API) and body:
                body = self._judged(path, scope, body)
            self.served += path.startswith(WORK)
            begun = self._begun(scope, send) if path.startswith(CALL) else send
            await self.app(of_length(scope, len(body)), again(body, receive), begun)

    def _has_room(self, path: str, scope: Scope) -> bool:
        """Whether one more request with a body is within the limits, of its visitor and of all."""
        frame = path.startswith(f"{API}stream/")
        if not frame and not path.startswith(WORK):
            return True
        owner, many = scope["visitor"]
        share = self.shares.get(key := f"{owner} {frame}")
        if share is None:
            share = Bucket(rate=20, burst=40 if frame else 60) if many or frame else Bucket(rate=8, burst=30)
            self.shares.put(key, share, owner)
        return share.take() and (self.frames if frame else self.work).take()

    def _judged(self, path: str, scope: Scope, body: bytes) -> bytes:
        """A JSON body with tokens in place of uploads; RequestError if it refers to something that is not allowed."""
        try:
            value = json.loads(body)
            replaced = self.uploads.replaced(value, self.cookies.of(scope))
        except LookupError as error:
            raise RequestError(400, NOT_OURS) from error
        except (ValueError, RecursionError) as error:
            raise RequestError(400, NOT_JSON) from error
        session = value.get("session_hash") if isinstance(value, dict) else None
        if path.startswith(WORK) and session is not None:
            self.sessions.use(session, *scope["visitor"])
        return body if replaced == value else json.dumps(replaced).encode()

    def _begun(self, scope: Scope, send: Send) -> Send:
        """A `send` that records the session of an API client, which is in the response to its call."""

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.body":
                try:
                    name = json.loads(message.get("body", b"")).get("event_id")
                    self.sessions.use(name, *scope["visitor"])
                except (ValueError, AttributeError, RequestError):
                    pass  # a response without an event: there is nothing to note
            await send(message)

        return noted

    async def _upload(self, body: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        await self._need_login(scope)
        visitor = self.cookies.of(scope)
        files = [(name, *await self.scaler.fitted(data)) for name, data in await files_of(scope, body)]
        paths = [self.uploads.add(data, name, visitor, scope["visitor"][0], why) for name, data, why in files]
        self.served += 1
        await JSONResponse(paths)(scope, receive, send)

    async def _file(self, file: str, scope: Scope, receive: Receive, send: Send) -> None:
        await self._need_login(scope)
        if found := self.uploads.find(file, self.cookies.of(scope)):
            headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store"}
            response = Response(found[1].data, media_type=media_type(found[1].data), headers=headers)
            await response(scope, receive, send)
        elif self.uploads.is_own_file(file):
            await self.app(scope, receive, send)
        else:
            raise RequestError(404, NO_FILE)

    async def _open(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a response that stays open; if there are too many, it is ended properly."""
        here, started = path.startswith(HEARTBEAT), False
        named = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [])
        for name in [] if here else [path.rpartition("/")[2]] if path.startswith(CALL) else named:
            self.sessions.fetch(name, scope["visitor"][0])

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        self.visitors += here
        try:
            complete = await self.sessions.stream(self.app(scope, receive, watched), scope["visitor"][0])
        finally:
            self.visitors -= here
        if not complete and not started:
            raise RequestError(429, BUSY)
        if not complete:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _login(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Allow a login attempt, unless this visitor or all visitors have made too many."""
        client = (stands_for_many(scope) and self.cookies.of(scope)) or address(scope)
        if wait := self.attempts.begin(client):
            raise RequestError(429, refusal(wait), wait)

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                self.attempts.succeeded(client)
            await send(message)

        await self.app(scope, receive, watched)

    async def _need_login(self, scope: Scope) -> None:
        """Refuse visitors who have not logged in, if a password is required; the demo itself decides."""
        if not self.password:
            return
        status = 0

        async def seen(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)

        check = {"method": "GET", "path": f"{API}login_check", "raw_path": f"{API}login_check".encode()}
        await self.app({**scope, **check, "query_string": b""}, again(b"", _nothing), seen)
        if status != 200:
            raise RequestError(401, NO_LOGIN)

    def _check_host(self, host: str) -> None:
        """Refuse a request for an unknown host, which protects from DNS rebinding."""
        try:
            name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        except ValueError:
            name = ""
        if self.hosts is None or name == "localhost" or is_address(name):
            return
        below = [known[1:] for known in self.hosts if known.startswith("*.")]
        if name in self.hosts or name.endswith(tuple(below)):
            return
        shown = "".join(letter for letter in name[:60] if letter.isprintable())
        raise RequestError(421, f'This demo is not served as "{shown}". Start it with --host-name {shown or "NAME"}.')

    def _visitor(self, scope: Scope) -> tuple[str, bool]:
        """The owner of a request for the limits, a browser or an address; whether it may stand for many visitors."""
        browser = self.cookies.of(scope)
        return (browser, False) if browser else (f"at {address(scope)}", stands_for_many(scope))

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        """A `send` that sets who may embed the response, and a cookie for a new visitor of the page."""
        new = self.cookies.issue() if scope["path"] == "/" and not self.cookies.of(scope) else None
        framed_by = self.framed_by or "'none'"
        site = "SameSite=None; Secure; Partitioned" if self.framed_by else "SameSite=Lax"

        async def added(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = f"frame-ancestors {framed_by}"
                if not self.framed_by:
                    headers["X-Frame-Options"] = "DENY"  # for browsers that do not know the other
                if new:
                    headers.append("Set-Cookie", f"{COOKIE}={new}; Path=/; HttpOnly; {site}")
            await send(message)

        return added


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
