"""Photos that are larger than what is kept of a visitor: they are scaled down when they arrive, within bounds."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from .. import faces
from ..markup import jpeg
from ..server.bodies import BUSY, RequestError
from .responses import LARGEST
from .uploads import MAX_FILE

MOST = 4  # that wait, each of at most 25 MB


class Scaler:
    """Scales large photos down, one at a time: a decoded one takes up to 300 MB."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "scaler")
        self._waiting = 0

    async def fitted(self, data: bytes) -> tuple[bytes, str]:
        """What is kept of an upload: its bytes, and why it cannot be used, "" if it can.

        Raises:
            RequestError: too many of them are waiting.
        """
        if len(data) <= MAX_FILE:
            return data, ""
        if self._waiting >= MOST:
            raise RequestError(429, BUSY)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, _scaled_down, data)
        finally:
            self._waiting -= 1


def _scaled_down(data: bytes) -> tuple[bytes, str]:
    """A file as a JPEG of the size at which faces are detected, without its metadata."""
    try:
        picture = faces.decode(data)
    except faces.PictureError as error:
        return b"", str(error)
    picture.thumbnail(LARGEST)
    return jpeg(picture, quality=95), ""
