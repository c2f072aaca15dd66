"""Uploads of visitors: which sessions may upload, and how much of it is held in memory.

Streamlit takes a file from any session that is connected, whether or not a page showed it a file uploader, and limits
the size of a file, not their number. So the uploader and the camera of the pages register their session here, and
`gateway.py` asks before it lets a file through.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from workbench.server import access

MIB = 1024**2
SESSIONS = 4096  # that are remembered
SMALLEST = 16 * 1024  # bytes that a file counts at least, so that the number of files is bounded too


@dataclass(frozen=True)
class Limits:
    """Bytes of uploads that are held in memory at the same time: of a session, of an address, of all."""

    session: int
    address: int
    all: int


ALONE = Limits(session=512 * MIB, address=512 * MIB, all=512 * MIB)
SHARED = Limits(session=64 * MIB, address=192 * MIB, all=768 * MIB)

_may: OrderedDict[str, None] = OrderedDict()
_lock = threading.Lock()


def file_uploader(*args: Any, **kwargs: Any) -> Any:
    """`st.file_uploader`, whose session may upload from now on."""
    permit_session()
    return st.file_uploader(*args, **kwargs)


def camera_input(*args: Any, **kwargs: Any) -> Any:
    """`st.camera_input`, whose session may upload from now on."""
    permit_session()
    return st.camera_input(*args, **kwargs)


def permit_session() -> None:
    """Let the session of the running script upload."""
    context = get_script_run_ctx()
    if context is None:
        return
    with _lock:
        _may[context.session_id] = None
        _may.move_to_end(context.session_id)
        while len(_may) > SESSIONS:
            _may.popitem(last=False)


def permitted(session: str) -> bool:
    """Whether a page has shown this session an uploader or a camera."""
    return session in _may


class Ledger:
    """Bytes that each session and address has uploaded and that are still held, or on their way.

    Args:
        files: Streamlit's files by session and id, each with `data`.
    """

    def __init__(self, files: Mapping[str, Mapping[str, Any]]) -> None:
        self._files = files
        self._coming: dict[str, int] = {}
        self._addresses: dict[str, str] = {}

    def refusal(self, session: str, address: str, length: int) -> tuple[int, str] | None:
        """HTTP status and sentence where `length` bytes more are too many; None where they are not."""
        limits = SHARED if access.on_the_network() else ALONE
        held = self._held()
        here = {one for one, known in self._addresses.items() if known == address} | {session}
        room = "Remove pictures that you no longer need, then try again."
        if held.get(session, 0) + length > limits.session:
            return 413, f"This visit holds more than {limits.session // MIB} MB of uploads. {room}"
        if sum(held.get(one, 0) for one in here) + length > limits.address:
            return 413, f"Your address holds more than {limits.address // MIB} MB of uploads. {room}"
        if sum(held.values()) + length > limits.all:
            return 503, "The computer that runs this page holds as many uploads as it can. Try again in some minutes."
        return None

    def begin(self, session: str, address: str, length: int) -> None:
        """Count bytes that are on their way."""
        self._coming[session] = self._coming.get(session, 0) + length
        self._addresses[session] = address

    def end(self, session: str, length: int) -> None:
        """Stop counting bytes as on their way: they have arrived, or never will."""
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
