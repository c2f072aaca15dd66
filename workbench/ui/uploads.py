"""Uploads of visitors: which sessions may upload, and how many bytes are held in memory.

Streamlit accepts a file from any connected session, whether or not a page showed it a file uploader, and limits the
size of a file, not the number of files. So the uploader and the camera of the pages register their session here, and
`gateway.py` checks it before a file is accepted.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from workbench.server import access

from . import streamlit_internals

MIB = 1024**2
SESSIONS = 4096  # that are remembered
SMALLEST = 16 * 1024  # bytes that each file counts at least, so that the number of files is bounded too


@dataclass(frozen=True)
class Limits:
    """Bytes of uploads that may be in memory at the same time: of a session, of an address, of all visitors."""

    session: int
    address: int
    all: int


ALONE = Limits(session=512 * MIB, address=512 * MIB, all=512 * MIB)
SHARED = Limits(session=64 * MIB, address=192 * MIB, all=768 * MIB)

_may: OrderedDict[str, None] = OrderedDict()
_lock = threading.Lock()


def file_uploader(*args: Any, **kwargs: Any) -> Any:
    """`st.file_uploader`, after permitting the session to upload."""
    permit_session()
    return st.file_uploader(*args, **kwargs)


def camera_input(*args: Any, **kwargs: Any) -> Any:
    """`st.camera_input`, after permitting the session to upload."""
    permit_session()
    return st.camera_input(*args, **kwargs)


def permit_session() -> None:
    """Permit the session of the running script to upload."""
    session = streamlit_internals.session_id()
    if session is None:
        return
    with _lock:
        _may[session] = None
        _may.move_to_end(session)
        while len(_may) > SESSIONS:
            _may.popitem(last=False)


def permitted(session: str) -> bool:
    """Whether a page has shown this session an uploader or the camera."""
    return session in _may


class Ledger:
    """Count the bytes of uploads that each session and address holds in memory or is sending.

    Args:
        files: Streamlit's files by session and id, each with `data`.
    """

    def __init__(self, files: Mapping[str, Mapping[str, Any]]) -> None:
        self._files = files
        self._coming: dict[str, int] = {}
        self._addresses: dict[str, str] = {}

    def refusal(self, session: str, address: str, length: int) -> tuple[int, str] | None:
        """HTTP status and message if `length` more bytes are too many; None if they are accepted."""
        limits = SHARED if access.on_the_network() else ALONE
        held = self._held()
        here = {one for one, known in self._addresses.items() if known == address} | {session}
        room = "Remove images that you no longer need, then try again."
        if held.get(session, 0) + length > limits.session:
            return 413, f"Your uploads exceed {limits.session // MIB} MB. {room}"
        if sum(held.get(one, 0) for one in here) + length > limits.address:
            return 413, f"The uploads from your network address exceed {limits.address // MIB} MB. {room}"
        if sum(held.values()) + length > limits.all:
            return 503, "This server has no room for further uploads. Try again in a few minutes."
        return None

    def begin(self, session: str, address: str, length: int) -> None:
        """Count bytes that are being sent."""
        self._coming[session] = self._coming.get(session, 0) + length
        self._addresses[session] = address

    def end(self, session: str, length: int) -> None:
        """Stop counting bytes as being sent: they have arrived, or the upload failed."""
        left = self._coming.pop(session, 0) - length
        if left > 0:
            self._coming[session] = left
        held = self._held()
        self._addresses = {one: address for one, address in self._addresses.items() if one in held}

    def _held(self) -> dict[str, int]:
        held = {
            session: sum(max(SMALLEST, len(file.data)) for file in list(files.values()))
            for session, files in list(self._files.items())
        }
        for session, coming in self._coming.items():
            held[session] = held.get(session, 0) + coming
        return {session: size for session, size in held.items() if size}
