"""A real Chromium, and the servers that it visits; for the browser tests."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
]  # fmt: skip
needs_chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium in PATH: install chromium (Debian: apt install chromium)"
)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until_served(url: str, server: subprocess.Popen, seconds: float = 240) -> bool:
    """Whether a server responds at an address before it ends and before the time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=60).close()
            return True
        except OSError:
            pass
        try:
            server.wait(0.2)
            return False
        except subprocess.TimeoutExpired:
            pass
    return False


@contextmanager
def served(command: Sequence[str | Path], url: str, log: Path, folder: Path = ROOT) -> Iterator[None]:
    """While a server runs in a folder; its log is shown when it does not respond."""
    with log.open("wb") as out:  # a pipe that nobody reads would fill up and stop the server
        server = subprocess.Popen(command, cwd=folder, stdout=out, stderr=subprocess.STDOUT)
    try:
        assert wait_until_served(url, server), f"{url} does not respond\n{log.read_text()}"
        yield
    finally:
        server.terminate()
        server.wait(60)
