"""Reading the bodies of requests, so that slow clients do not block others."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from .visitors import address, stands_for_many

MAX_BODY = 6 * 1024**2  # bytes: a camera frame in JSON, and what is around it
MAX_UPLOAD = 26 * 1024**2  # bytes: an image of 25 MB, and what is around it
MAX_HELD = 144 * 1024**2  # bytes of all bodies that are being read
MAX_BODIES = 24  # that are read at the same time
PER_ADDRESS = 8  # of them from one address, except this computer's own
BODY_SECONDS = 60.0
GRACE_SECONDS = 2.0  # before a body can be too slow
SLOW = 64 * 1024  # bytes a second; a slower one gives way where there is no room for another

BUSY = "Too many visitors send requests at once. Wait some seconds and try again."
TOO_SLOW = "This took too long to arrive. Try again, perhaps with a smaller image."


class RequestError(Exception):
    """A request that is refused: the status of the response, the sentence in it, and when to try again."""

    def __init__(self, status: int, sentence: str, seconds: float = 5):
        super().__init__(sentence)
        self.status, self.sentence, self.seconds = status, sentence, seconds


def too_large(most: int) -> RequestError:
    """The refusal of a body of more than `most` bytes, of which one MB is for what is around an image."""
    sentence = f"This is larger than {(most >> 20) - 1} MB. Save a smaller image, or take a photo with the camera."
    return RequestError(413, sentence)


@dataclass(eq=False)
class _Read:
    """A body that is being received."""

    address: str
    task: asyncio.Task
    received: int = 0
    began: float = field(default_factory=time.monotonic)

    @property
    def rate(self) -> float:
        """Bytes a second so far; infinite within the first two seconds."""
        elapsed = time.monotonic() - self.began
        return self.received / elapsed if elapsed > GRACE_SECONDS else float("inf")


class Bodies:
    """The bodies that are being read: at most `MAX_BODIES`, `PER_ADDRESS` of one address, and `MAX_HELD` bytes.

    At the limit, the slowest body below `SLOW` bytes per second is dropped; if none is slow, the new one is refused.
    """

    def __init__(self) -> None:
        self._reads: set[_Read] = set()

    def __len__(self) -> int:
        return len(self._reads)

    async def read(self, scope: Scope, receive: Receive, most: int = MAX_BODY) -> bytes:
        """The whole body of a request.

        Raises:
            RequestError: it has more than `most` bytes, is too slow, there is no room for it, or the client went away.
        """
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isascii() or not length.isdecimal() or int(length[:18]) > most:
            raise too_large(most)
        mine = [read for read in self._reads if read.address == address(scope)]
        if not stands_for_many(scope) and len(mine) >= PER_ADDRESS:
            self._make_room(mine)
        if len(self._reads) >= MAX_BODIES:
            self._make_room(self._reads)
        return await self._received(scope, receive, most)

    def _make_room(self, reads: list[_Read] | set[_Read]) -> None:
        slowest = min(reads, key=lambda read: read.rate)
        if slowest.rate >= SLOW:
            raise RequestError(429, BUSY)
        self._reads.discard(slowest)
        slowest.task.cancel()

    async def _received(self, scope: Scope, receive: Receive, most: int) -> bytes:
        read = _Read(address(scope), None)  # type: ignore[arg-type]
        read.task = asyncio.ensure_future(self._whole(read, receive, most))
        self._reads.add(read)
        try:
            await asyncio.wait({read.task}, timeout=BODY_SECONDS)
            if not read.task.done() or read.task.cancelled():
                raise RequestError(408, TOO_SLOW)
            return read.task.result()
        finally:
            read.task.cancel()
            self._reads.discard(read)

    async def _whole(self, read: _Read, receive: Receive, most: int) -> bytes:
        parts, more = [], True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise RequestError(400, "The client closed the connection.")
            parts.append(message.get("body", b""))
            read.received += len(parts[-1])
            more = message.get("more_body", False)
            if read.received > most:
                raise too_large(most)
            if sum(other.received for other in self._reads) > MAX_HELD:
                raise RequestError(429, BUSY)
        return b"".join(parts)


def of_length(scope: Scope, length: int) -> Scope:
    """The scope of a request whose body was read, and perhaps changed."""
    kept = [pair for pair in scope["headers"] if pair[0] not in (b"content-length", b"transfer-encoding")]
    return {**scope, "headers": [*kept, (b"content-length", str(length).encode())]}


def again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that returns a body that was read before, then the messages that follow."""
    waiting: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def first() -> Message:
        return waiting.pop() if waiting else await receive()

    return first
