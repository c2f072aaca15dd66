"""Limits on the connections of uvicorn, the HTTP server of both the app and the demo.

uvicorn limits neither how long a client may take to send the headers of a request nor how many connections it holds
open. A few hundred clients that never finish their headers use up the open files of the process; asyncio then logs a
stack trace for every connection that it cannot accept (python/cpython#151615). Here the headers have a deadline, the
connections have a cap in all and for each address, and a message that repeats is logged a few times a minute.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import socket
import time
from functools import cache, partial, wraps
from typing import Any

import psutil
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 10.0  # until the headers of a request are complete
WRITE_SECONDS = 30.0  # within which a client reads some of what is buffered for it
STALLED_SECONDS = 2.0  # without reading, after which a connection may give way to another
LOOPBACK = ("127.0.0.1", "::1")
MESSAGE_BYTES = 8 * 1024**2  # of a message that a browser sends over a WebSocket; files come by other ways
MOST = 1024  # connections in all
KEPT_FREE = 64  # open files for everything else
ACCEPTED_AT_ONCE = 16  # in one turn of the event loop; asyncio takes `backlog`, 2048, before any of them is counted
WAITING = 1024  # connections that the kernel queues until they are accepted
LINES = 20  # the same message a minute
KINDS = 500  # messages that are told apart
_LOGGERS = ("asyncio", "gradio", "starlette", "streamlit", "uvicorn", "websockets")
_log = logging.getLogger("uvicorn.error")


def network(address: str) -> str:
    """The part of an IP address that stands for one client: all of IPv4, the first 64 bits of IPv6.

    A client of an IPv6 network chooses the other 64 bits freely. Text that is no IP address is returned as it is.
    """
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped:
            return str(known.ipv4_mapped)
        if not known.is_loopback:
            return str(ipaddress.ip_network((known, 64), strict=False))
    return str(known)


class Connections:
    """The open connections of one server, at most `most` in all and `each` from one address.

    At a limit the oldest connection that carries no request is closed for the new one, or the oldest whose client does
    not read its response, so unfinished requests never keep out finished ones; where every connection carries a request
    or a WebSocket, the new one is closed.

    Attributes:
        most: maximum number of connections.
        each: maximum from one address, by default half of them; this computer's own address may have all, because a
            tunnel or a proxy on it forwards every visitor from there.
    """

    def __init__(self, most: int, each: int | None = None) -> None:
        self.most = most
        self.each = each or max(1, most // 2)
        self._open: list[LimitedProtocol] = []

    def admit(self, new: LimitedProtocol) -> None:
        """Count a new connection; close the one that is too many."""
        self._open.append(new)
        if len(self._open) <= self.each:  # no limit can be reached
            return
        self._open = [connection for connection in self._open if not connection.transport.is_closing()]
        mine = [connection for connection in self._open if connection.address == new.address]
        each = self.most if new.address in LOOPBACK else self.each
        for group, limit in ((mine, each), (self._open, self.most)):
            if len(group) > limit:
                others = [connection for connection in group if connection is not new]
                idle = [connection for connection in others if connection.waits] or [c for c in others if c.stalls]
                closed = idle[0] if idle else new
                _log.warning("Too many connections: one from %s is closed.", closed.address)
                closed.transport.abort()
                self._open.remove(closed)
                return


class LimitedProtocol(H11Protocol):
    """uvicorn's HTTP protocol with a deadline for the headers of each request and a place among `Connections`."""

    def __init__(self, *args: Any, connections: Connections, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.address = ""
        self._all = connections
        self._deadline: asyncio.TimerHandle | None = None
        self._reading: asyncio.TimerHandle | None = None
        self._read_at = 0.0
        self._upgraded = False

    @property
    def waits(self) -> bool:
        """Whether the connection carries neither a request that is being responded to nor a WebSocket."""
        return not self._upgraded and (self.cycle is None or self.cycle.response_complete)

    @property
    def stalls(self) -> bool:
        """Whether its client has read nothing of a response for a while."""
        return self._reading is not None and self.loop.time() - self._read_at > STALLED_SECONDS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the deadline and count the connection."""
        super().connection_made(transport)
        self.address = network(self.client[0]) if self.client else ""
        self._watch()
        self._all.admit(self)

    def data_received(self, data: bytes) -> None:
        """Handle data; the deadline runs while the headers of a request are incomplete.

        A client that sends a request before the response to the last one is complete, as no browser does, gets that
        response and no other on this connection: a few bytes would keep it in use for long.
        """
        super().data_received(data)
        if not self.waits and not self._upgraded and self.conn.trailing_data[0] and not self.cycle.response_started:
            self.cycle.keep_alive = False
        self._watch()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """Hand the connection to the WebSocket protocol."""
        self._upgraded = True
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the deadlines."""
        super().connection_lost(exc)
        self._stop()
        self._stop_reading()

    def pause_writing(self) -> None:
        """The client reads more slowly than the response is written; it has a deadline too."""
        super().pause_writing()
        self._expect_reader()

    def resume_writing(self) -> None:
        """The client has read the buffer."""
        self._stop_reading()
        super().resume_writing()

    def _expect_reader(self, before: int | None = None) -> None:
        """Close the connection where its buffer is not shorter than before."""
        left = self.transport.get_write_buffer_size()
        if before is not None and left >= before:
            self.transport.abort()
            return
        self._stop_reading()
        self._read_at = self.loop.time()
        self._reading = self.loop.call_later(WRITE_SECONDS, self._expect_reader, left)

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _watch(self) -> None:
        if not self.waits or self.transport.is_closing():
            self._stop()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(HEADER_SECONDS, self.transport.abort)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class LogLimit(logging.Filter):
    """Let the same message of the same logger through `LINES` times a minute, whatever it is filled in with."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[str, str], int] = {}
        self._minute = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged; the last one says that more are left out."""
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._seen = minute, {}
        key = record.name, str(record.msg) if len(self._seen) < KINDS else ""
        self._seen[key] = count = self._seen.get(key, 0) + 1
        if count == LINES:
            record.msg, record.args = f"{record.getMessage()} (More messages like this are left out this minute.)", ()
        return count <= LINES


def limit_connections() -> None:
    """Give every uvicorn server that starts in this process from now on these limits."""
    if getattr(uvicorn.Server.startup, "limited", False):
        return
    startup = uvicorn.Server.startup

    @wraps(startup)
    async def limited(self: uvicorn.Server, sockets: list[socket.socket] | None = None) -> None:
        connections = Connections(affordable())
        self.config.http_protocol_class = partial(LimitedProtocol, connections=connections)  # type: ignore[assignment]
        self.config.backlog = ACCEPTED_AT_ONCE
        self.config.ws_max_size = min(self.config.ws_max_size, MESSAGE_BYTES)
        _limit_logs()
        await startup(self, sockets)
        if os.name == "posix":
            for listener in (listener for server in getattr(self, "servers", ()) for listener in server.sockets):
                with socket.socket(fileno=os.dup(listener.fileno())) as same:
                    same.listen(WAITING)  # asyncio made the kernel's queue as short as its own batch

    limited.limited = True  # type: ignore[attr-defined]
    uvicorn.Server.startup = limited  # type: ignore[method-assign]


def affordable() -> int:
    """How many connections the open files of this process allow: half of those that are left for its clients."""
    return min(MOST, files_left() // 2)


@cache
def files_left() -> int:
    """Files that this process can still open for its clients, counted once, after raising the soft limit."""
    try:
        import resource  # not on Windows
    except ImportError:
        return MOST
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * MOST if hard == resource.RLIM_INFINITY else min(4 * MOST, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    if soft == resource.RLIM_INFINITY:
        return 4 * MOST
    return max(16, soft - psutil.Process().num_fds() - KEPT_FREE)


def _limit_logs() -> None:
    limit = LogLimit()
    for name in (*logging.root.manager.loggerDict, *_LOGGERS):
        logger = logging.getLogger(name)
        if name.partition(".")[0] in _LOGGERS and not any(isinstance(known, LogLimit) for known in logger.filters):
            logger.addFilter(limit)
