"""Running instances of the demo and the app, and an attack on one."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import psutil

from models.paths import CODE as ROOT
from workbench.cli import port_is_free

FILES = 256  # that an instance may open, as some systems allow by default
COMMANDS = {
    "demo": ("-m", "workbench.gradio_app", "--port={port}"),
    "demo with a password": ("-m", "workbench.gradio_app", "--port={port}", "--user=class"),
    "app": ("-m", "workbench.cli", "app", "--port={port}"),
    "app --lan": ("-m", "workbench.cli", "app", "--port={port}", "--lan"),
}
"""What starts each kind of instance."""


@dataclass
class Instance:
    """A server of its own process, with a folder for its temporary files.

    Attributes:
        kind: a key of `COMMANDS`.
        process: the one that responds.
        folder: its temporary folder, with `log.txt`.
    """

    kind: str
    port: int
    process: psutil.Process
    folder: Path
    cleanup: ExitStack = field(default_factory=ExitStack)

    @property
    def url(self) -> str:
        """Its address, with a slash at the end."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def log(self) -> Path:
        """What it printed."""
        return self.folder / "log.txt"

    def memory(self) -> int:
        """MiB that it and its children hold."""
        with suppress(psutil.NoSuchProcess):
            processes = [self.process, *self.process.children(recursive=True)]
            return sum(process.memory_info().rss for process in processes) >> 20
        return 0


class Visitor(Protocol):
    """Somebody who uses an instance while it is attacked."""

    def use(self) -> bool:
        """Use it once: True for a right result, False for a wrong one; an exception where there was none."""


@dataclass(frozen=True)
class Attack:
    """One line of the table.

    Attributes:
        name: what is tried.
        kind: of the instance, a key of `COMMANDS`.
        run: tries it, and says what went wrong; empty where everything was refused.
        alone: whether it needs an instance of its own, because it ends it.
    """

    name: str
    kind: str
    run: Callable[[Instance], str]
    alone: bool = False


@contextmanager
def started(kind: str) -> Iterator[Instance]:
    """A running instance; it and its folder are gone afterwards."""
    port = next(port for port in range(18400, 18860) if port_is_free(port))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        command = [sys.executable, *(part.format(port=port) for part in COMMANDS[kind])]
        environment = {
            **os.environ, "TMPDIR": name, "FERSCOPE_JOBS": str(folder / "jobs"), "FERSCOPE_DEMO_PASSWORD": "right words"
        }  # fmt: skip
        with (folder / "log.txt").open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                preexec_fn=_few_files,
            )
        instance = Instance(kind, port, psutil.Process(process.pid), folder)
        try:
            _wait(instance, process)
            yield instance
        finally:
            instance.cleanup.close()
            if process.poll() is None:
                process.send_signal(18 if os.name == "posix" else 15)  # SIGCONT: it may be stopped
                process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def _few_files() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))


def _wait(instance: Instance, process: subprocess.Popen, seconds: float = 240) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        try:
            urllib.request.urlopen(instance.url, timeout=5).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.3)
    raise SystemExit(f"{instance.kind} did not start:\n{instance.log.read_text()[-2000:]}")
