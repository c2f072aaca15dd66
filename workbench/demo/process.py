"""The public demo as a separate process, started, monitored and stopped from the workbench's page Share.

Its state is in two small files of a folder that only this user can read: the process, and the status that it writes
every two seconds. So a restarted workbench finds a demo that is still running.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from dataclasses import dataclass

import qrcode

from models.files import write_json
from models.paths import HOME

from ..cli import port_is_free
from .own_process import SharingError, end, folder, read, running

__all__ = ["Demo", "SharingError", "current", "qr_code", "start", "stop"]

_PORTS = range(7860, 7900)
_PATIENCE = 90.0  # seconds without a status until the demo counts as failed


@dataclass(frozen=True)
class Demo:
    """A running demo.

    Attributes:
        pid: id of its process.
        requested: whether a public link was requested.
        local: address on this computer; None until it is ready.
        link: the public link; None if there is none (yet).
        visitors: browsers that have it open; served, refused: requests so far.
        cpu: share of one core, may exceed 1; memory: bytes.
    """

    pid: int
    requested: bool
    local: str | None = None
    link: str | None = None
    visitors: int = 0
    served: int = 0
    refused: int = 0
    cpu: float = 0.0
    memory: int = 0

    @property
    def ready(self) -> bool:
        """Whether it responds to requests."""
        return self.local is not None


def start(share: bool, samples_only: bool = False, user: str = "", password: str = "") -> Demo:
    """Start the demo; one that is running is kept.

    Args:
        share: whether to request a public link.
        samples_only: neither camera nor upload.
        user, password: required from visitors; empty: nothing.

    Raises:
        SharingError: no port is free, or only one of user and password is given.
    """
    if found := current():
        return found
    if bool(user) != bool(password):
        raise SharingError("Give both a name and a password, or neither.")
    port = next(filter(port_is_free, _PORTS), None)
    if port is None:
        raise SharingError(f"None of the ports {_PORTS[0]} to {_PORTS[-1]} is free: stop the programs that use them.")
    where = folder()
    (where / "status.json").unlink(missing_ok=True)
    command = [sys.executable, "-m", "workbench.gradio_app", f"--port={port}", _status()]
    command += ["--share"] * share + ["--samples-only"] * samples_only + ([f"--user={user}"] if user else [])
    with (where / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=HOME,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "FERSCOPE_DEMO_PASSWORD": password},
            start_new_session=True,
        )
    write_json(where / "process.json", {"pid": process.pid, "requested": share, "started": time.time()})
    return Demo(process.pid, share)


def current() -> Demo | None:
    """The running demo with its last status; None if none is running or it has failed."""
    known = read("process.json")
    process = running(known, _status())
    if process is None:
        return None
    status = read("status.json")
    if status.get("pid") != process.pid:
        if time.time() - known["started"] > _PATIENCE:
            stop()
            return None
        return Demo(process.pid, known.get("requested", False))
    names = ("local", "link", "visitors", "served", "refused", "cpu", "memory")
    return Demo(process.pid, known.get("requested", False), **{name: status[name] for name in names})


def stop() -> None:
    """Stop the demo and wait until its uploads are deleted; does nothing if none is running."""
    process = running(read("process.json"), _status())
    if process is not None:
        end(process)
    for name in ("process.json", "status.json"):
        (folder() / name).unlink(missing_ok=True)


def qr_code(address: str) -> bytes:
    """An address as a QR code: a PNG file, black on white with the quiet zone that readers need."""
    buffer = io.BytesIO()
    qrcode.make(address, box_size=8, border=4).save(buffer)
    return buffer.getvalue()


def _status() -> str:
    """The argument that identifies a demo started by the workbench among other processes."""
    return f"--status={folder() / 'status.json'}"
