"""The public demo as a separate process, started, monitored and stopped from the workbench's page Share.

Its state is in two small files of a folder that only this user can read: the process, and the status that it writes
every two seconds. So a restarted workbench finds a demo that is still running.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import qrcode

from models.files import write_json
from models.paths import HOME

from ..cli import port_is_free
from ..server.account import AccountError, private_folder

_PORTS = range(7860, 7900)
_PATIENCE = 90.0  # seconds without a status until the demo counts as failed


@dataclass(frozen=True)
class Demo:
    """A running demo.

    Attributes:
        pid: its process.
        requested: whether a public link was requested.
        local: its address on this computer; None until it is ready.
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


class SharingError(RuntimeError):
    """The demo could not be started; the message says what to do."""


def start(share: bool, samples_only: bool = False, user: str = "", password: str = "") -> Demo:
    """Start the demo; one that is running is kept.

    Args:
        share: whether to request a public link.
        samples_only: neither camera nor upload.
        user, password: required from visitors; empty: nothing.

    Raises:
        SharingError: no port is free, or only one of user and password is given.
    """
    if running := current():
        return running
    if bool(user) != bool(password):
        raise SharingError("Give both a name and a password, or neither.")
    port = next(filter(port_is_free, _PORTS), None)
    if port is None:
        raise SharingError(f"None of the ports {_PORTS[0]} to {_PORTS[-1]} is free: stop the programs that use them.")
    folder = _folder()
    (folder / "status.json").unlink(missing_ok=True)
    command = [sys.executable, "-m", "workbench.gradio_app", f"--port={port}", _status()]
    command += ["--share"] * share + ["--samples-only"] * samples_only + ([f"--user={user}"] if user else [])
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=HOME,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "FERSCOPE_DEMO_PASSWORD": password},
            start_new_session=True,
        )
    write_json(folder / "process.json", {"pid": process.pid, "requested": share, "started": time.time()})
    return Demo(process.pid, share)


def current() -> Demo | None:
    """The running demo with its last status; None if none is running or it has failed."""
    known = _read("process.json")
    process = _process(known)
    if process is None:
        return None
    status = _read("status.json")
    if status.get("pid") != process.pid:
        if time.time() - known["started"] > _PATIENCE:
            stop()
            return None
        return Demo(process.pid, known.get("requested", False))
    names = ("local", "link", "visitors", "served", "refused", "cpu", "memory")
    return Demo(process.pid, known.get("requested", False), **{name: status[name] for name in names})


def stop() -> None:
    """Stop the demo and wait until its uploads are deleted; does nothing if none is running."""
    process = _process(_read("process.json"))
    if process is not None:
        process.terminate()
        try:
            process.wait(15)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(5)
    for name in ("process.json", "status.json"):
        (_folder() / name).unlink(missing_ok=True)


def qr_code(address: str) -> bytes:
    """An address as a QR code: a PNG file, black on white with the quiet zone that readers need."""
    buffer = io.BytesIO()
    qrcode.make(address, box_size=8, border=4).save(buffer)
    return buffer.getvalue()


def _process(known: dict) -> psutil.Process | None:
    """The process in the files, if it is still the same one, by number and command."""
    try:
        process = psutil.Process(known["pid"])
        alive = _status() in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, KeyError):
        return None
    return process if alive else None


def _status() -> str:
    """The argument that identifies a demo started by the workbench among other processes."""
    return f"--status={_folder() / 'status.json'}"


def _folder() -> Path:
    """A folder of this user that nobody else can read."""
    try:
        return private_folder("share")
    except AccountError as error:
        raise SharingError(str(error)) from error


def _read(name: str) -> dict:
    try:
        return json.loads((_folder() / name).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
