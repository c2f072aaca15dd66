"""The web demo of the page Share: its folder, its zip file, and a web server for it as a process of its own."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

from models.files import write_json
from models.paths import HOME

from .. import services
from ..cli import ADDRESS, EVERY_ADDRESS, port_is_free
from ..server.access import addresses
from .own_process import SharingError, end, folder, read, running

FOLDER = HOME / "web-demo"
"""Where the page Share builds it."""

_PORTS = range(7900, 7940)
_FILE = "web-process.json"


@dataclass(frozen=True)
class WebServer:
    """A running server of the web demo.

    Attributes:
        pid: id of its process.
        local: address on this computer.
        network: addresses in the local network; () if it serves this computer only.
    """

    pid: int
    local: str
    network: tuple[str, ...] = ()


def start(demo: Path | None = None, lan: bool = False) -> WebServer:
    """Serve a written web demo; one that is running is kept.

    Args:
        demo: folder of the demo; None: `FOLDER`.
        lan: serve the local network, not only this computer.

    Raises:
        SharingError: no port is free, or the server ended at once.
    """
    if found := current():
        return found
    port = next(filter(port_is_free, _PORTS), None)
    if port is None:
        raise SharingError(f"None of the ports {_PORTS[0]} to {_PORTS[-1]} is free: stop the programs that use them.")
    command = [
        sys.executable,
        "-m",
        _MODULE,
        str(demo or FOLDER),
        f"--port={port}",
        f"--host={EVERY_ADDRESS if lan else ADDRESS}",
    ]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL, start_new_session=True
    )
    while not _listening(port):
        if process.poll() is not None:
            raise SharingError("The web demo cannot be served: build it again.")
        time.sleep(0.05)
    write_json(folder() / _FILE, {"pid": process.pid, "port": port, "lan": lan})
    return _server(process.pid, port, lan)


def current() -> WebServer | None:
    """The running server; None if there is none."""
    known = read(_FILE)
    process = running(known, _MODULE)
    return _server(process.pid, known["port"], known["lan"]) if process else None


def stop() -> None:
    """Stop the server; does nothing if none is running."""
    process = running(read(_FILE), _MODULE)
    if process is not None:
        end(process)
    (folder() / _FILE).unlink(missing_ok=True)


def build(names: Sequence[str], progress: Callable[[str], None]) -> None:
    """Write the web demo into `FOLDER`, in place of an earlier one.

    Arguments and errors are as for `services.web_demo.write`.
    """
    rmtree(FOLDER, ignore_errors=True)
    services.web_demo.write(FOLDER, names, progress=progress)


@dataclass(frozen=True)
class Written:
    """A web demo that was written.

    Attributes:
        titles: titles of its networks.
        files: paths of its files.
        bytes: size of all of them together in bytes.
    """

    titles: tuple[str, ...]
    files: tuple[Path, ...]
    bytes: int


def written(demo: Path | None = None) -> Written | None:
    """The web demo in a folder, by default `FOLDER`; None if there is none."""
    demo = demo or FOLDER
    try:
        contents = json.loads((demo / "demo.json").read_text("utf-8"))
        titles = tuple(network["title"] for network in contents["networks"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    files = tuple(path for path in sorted(demo.rglob("*")) if path.is_file())
    return Written(titles, files, sum(path.stat().st_size for path in files))


def zipped(demo: Path | None = None) -> bytes:
    """A zip file of a web demo, by default that in `FOLDER`, for a web space."""
    demo = demo or FOLDER
    found = written(demo)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in found.files if found else ():
            archive.write(path, path.relative_to(demo))
    return buffer.getvalue()


_MODULE = "workbench.server.static"


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((ADDRESS, port)) == 0


def _server(pid: int, port: int, lan: bool) -> WebServer:
    return WebServer(pid, f"http://localhost:{port}", tuple(f"http://{a}:{port}" for a in addresses()) if lan else ())
