"""The sessions of the public demo: their number, their owners, and what is pending in them.

A session is a page that is open in a tab, or an API client. The client chooses its name, so anybody may start as many
as they like; Gradio stores a state for each, and the results that its client has not fetched.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine
from typing import Any, Protocol

from ..server.bodies import RequestError
from ..server.bounded import BoundedStore, Limits

MAX_SESSIONS = 64
PER_VISITOR = 8  # tabs of one browser
SESSION_SECONDS = 900.0  # without a request
MAX_PENDING = 6  # requests of one visitor that wait for a network, of 32
MAX_PENDING_OF_MANY = 24  # of an address that stands for many visitors
MAX_UNREAD = 24  # messages that wait for a client: about eight results
MAX_STREAMS = 240  # responses that stay open

TOO_MANY_UNREAD = "Your earlier requests were not fetched. Fetch their results, or reload the page."
TOO_MANY_PENDING = "Your earlier requests are still waiting. Try again when they are done."
NO_SESSION = "This session was deleted, because of its age or because many are in use. Reload the page."
NOT_YOURS = "This session belongs to another visitor. Reload the page."
BAD_NAME = "A session has a name of at most 64 letters and digits."


class Queue(Protocol):
    """The demo's internal state of its sessions."""

    def unread(self, session: str) -> int:
        """Number of messages waiting for the client of a session."""

    def pending(self, owner: str) -> int:
        """Number of requests of a visitor waiting for a network."""

    async def forget(self, session: str) -> None:
        """Delete everything of a session."""


class Sessions:
    """The sessions in use; if there are too many, the oldest of the visitor with the most is deleted.

    Args:
        queue: the demo's internal state of them.
        streams: maximum number of responses that stay open at the same time.
    """

    def __init__(self, queue: Queue, streams: int = MAX_STREAMS):
        self._queue = queue
        limits = Limits(total=MAX_SESSIONS, share=PER_VISITOR, seconds=SESSION_SECONDS)
        self._used: BoundedStore[None] = BoundedStore(limits, dropped=lambda name, _: self._dropped(name))
        self._streams: BoundedStore[asyncio.Task] = BoundedStore(
            Limits(total=streams, share=streams), dropped=lambda _, task: task.cancel()
        )
        self._forgetting: set[asyncio.Task] = set()

    def use(self, name: Any, owner: str, many: bool) -> None:
        """Register a request for work in a session, whose owner counts as `many` visitors or as one.

        Raises:
            RequestError: another owner, too many pending requests or unfetched results, or an invalid name.
        """
        if not isinstance(name, str) or not 0 < len(name) <= 64:
            raise RequestError(400, BAD_NAME)
        self.check(name, owner)
        if self._queue.unread(name) > MAX_UNREAD:
            raise RequestError(429, TOO_MANY_UNREAD)
        if self._queue.pending(owner) >= (MAX_PENDING_OF_MANY if many else MAX_PENDING):
            raise RequestError(429, TOO_MANY_PENDING)
        self._used.put(name, None, owner, share=MAX_SESSIONS if many else PER_VISITOR)

    def check(self, name: str, owner: str) -> None:
        """Raise RequestError if a session has another owner."""
        self._used.sweep()
        if self._used.owner(name) not in (None, owner):
            raise RequestError(403, NOT_YOURS)

    def fetch(self, name: str, owner: str) -> None:
        """Raise RequestError if a session has no results, or another owner."""
        self.check(name, owner)
        if self._used.owner(name) is None:
            raise RequestError(404, NO_SESSION)

    async def stream(self, work: Coroutine[Any, Any, None], owner: str) -> bool:
        """Run a response that stays open; False if it was ended because there are too many."""
        task, key = asyncio.ensure_future(work), secrets.token_hex(8)
        self._streams.put(key, task, owner)
        try:
            await asyncio.wait({task})
        finally:
            self._streams.pop(key)
            if not task.done():  # the server ends
                task.cancel()
        if task.cancelled():
            return False
        task.result()
        return True

    def _dropped(self, name: str) -> None:
        task = asyncio.ensure_future(self._queue.forget(name))
        self._forgetting.add(task)
        task.add_done_callback(self._forgetting.discard)
