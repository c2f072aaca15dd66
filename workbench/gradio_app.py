"""The public demo: one command, one link (`ferscope demo --share`, or `python -m workbench.gradio_app --share`).

`demo/page.py` is what visitors see, `demo/gateway.py` is before it. Nothing of a visitor is written to a file:
uploads and results stay in the memory of this process. Its folder holds the sample images only.
"""

from __future__ import annotations

import getpass
import os
import re
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from typing import Annotated

import psutil
import tyro
from starlette.middleware import Middleware

from models.files import write_json
from workbench.services.explain import warm

from .cli import ADDRESS, HostName, Port, parsed_by, port_is_free
from .demo import components
from .demo import page as gradio_page
from .demo.gateway import Gateway
from .demo.page import Options
from .demo.sessions import MAX_STREAMS, Sessions
from .demo.uploads import Uploads
from .server import access
from .server.connections import affordable, limit_connections
from .server.logs import limit_log
from .server.memory import share_heaps

SWEEP_SECONDS = 30.0


@dataclass
class Serving:
    """A demo that is being served.

    Attributes:
        page: Gradio's Blocks, launched.
        gateway: the gateway before it, with its counts.
        folder: folder of the sample images; it is deleted when the demo ends.
        local: address on this computer; link: the public one, None where there is none.
    """

    page: gradio_page.gr.Blocks
    gateway: Gateway
    folder: Path
    local: str
    link: str | None
    ended: threading.Event = field(default_factory=threading.Event)
    process: psutil.Process = field(default_factory=psutil.Process)

    def close(self) -> None:
        """End it, and delete its folder."""
        self.ended.set()
        self.page.close(verbose=False)
        rmtree(self.folder, ignore_errors=True)

    def status(self) -> dict:
        """What the page Share shows of it."""
        return {
            "pid": self.process.pid,
            "local": self.local,
            "link": self.link,
            "visitors": self.gateway.visitors,
            "served": self.gateway.served,
            "refused": self.gateway.refused,
            "cpu": self.process.cpu_percent() / 100,  # since the last call
            "memory": self.process.memory_info().rss,
            "time": time.time(),
        }


def serve(options: Options, host: str = ADDRESS, port: int = 7860, auth: tuple[str, str] | None = None) -> Serving:
    """Start the demo in threads of this process; a public link is requested if `options.shared`.

    Args:
        options: what the demo offers, and under which names it is reached.
        host: address to listen at.
        port: port to listen at.
        auth: name and password that visitors have to give; None: no login.

    Returns:
        The running demo; `close` ends it.

    Raises:
        OSError: the port is in use, or may not be used.
    """
    folder = _own_folder()
    os.environ["GRADIO_TEMP_DIR"] = str(folder)  # read when components are built
    limit_connections()
    share_heaps()
    warm()
    links: list[str] = []
    uploads, pictures = Uploads(folder), components.Pictures()
    page = gradio_page.build(options, lambda: bool(links), uploads, pictures)
    gateways: list[Gateway] = []

    def gateway(app: Callable) -> Gateway:
        streams = min(MAX_STREAMS, affordable() // 2)  # the other connections are for requests that end
        sessions = Sessions(components.GradioQueue(page), streams)
        hosts = None if options.shared else frozenset((*access.own_names(), *options.host_names))
        found = Gateway(app, uploads, sessions, not options.samples_only, auth is not None, hosts, options.framed_by)
        gateways.append(found)
        return found

    _, local, link = page.launch(
        server_name=host,
        server_port=port,
        share=options.shared,
        auth=auth,
        app_kwargs={"middleware": [Middleware(gateway)]},
        allowed_paths=[],
        max_file_size="25mb",
        state_session_capacity=64,
        show_error=False,
        enable_monitoring=False,
        run_history=False,
        mcp_server=False,
        ssr_mode=False,
        pwa=False,
        quiet=True,
        prevent_thread_lock=True,
        footer_links=["api"],
        theme=components.THEME,
        css=components.STYLE,
    )
    links += [link] if link else []
    serving = Serving(page, gateways[0], folder, local, link)
    threading.Thread(target=_sweep, args=(serving.ended, uploads, pictures), daemon=True).start()
    return serving


def _sweep(ended: threading.Event, uploads: Uploads, pictures: components.Pictures) -> None:
    """Forget what is too old, also while nobody sends a request."""
    while not ended.wait(SWEEP_SECONDS):
        uploads.sweep()
        pictures.store.sweep()


def _own_folder() -> Path:
    """A folder for this process; folders that earlier ones left behind are deleted."""
    for left in Path(tempfile.gettempdir()).glob("ferscope-demo-*-*"):
        pid = left.name.split("-")[2]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"ferscope-demo-{os.getpid()}-")).resolve()


def origin(text: str) -> str:
    """The origin of a page: scheme, host and perhaps a port; raises ValueError."""
    if not re.fullmatch(r"https?://[a-zA-Z0-9*.-]+(:\d{1,5})?", text):
        raise ValueError(f'"{text}" is not the origin of a page: give one such as https://example.org.')
    return text


@dataclass(frozen=True)
class _CommandLine:
    """Start the public demo; Ctrl-C ends it."""

    host: Annotated[str, tyro.conf.arg(metavar="HOST")] = ADDRESS
    """address to listen at"""
    port: Port = 7860
    """port of the demo"""
    share: bool = False
    """make a public link, through Gradio's tunnel"""
    samples_only: bool = False
    """no camera and no upload: samples and drawn faces"""
    user: Annotated[str | None, tyro.conf.arg(metavar="USER")] = None
    """require this name and a password of visitors (FERSCOPE_DEMO_PASSWORD, or typed)"""
    host_name: tyro.conf.UseAppendAction[tuple[HostName, ...]] = ()
    """a name under which a proxy serves it, such as demo.example.org; may be repeated"""
    framed_by: Annotated[str | None, parsed_by(origin, "ORIGIN")] = None
    """the page that may show it in a frame"""
    status: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """write the demo's state into this JSON file every two seconds (the page Share reads it)"""


def main(argv: list[str] | None = None) -> None:
    """Run `ferscope demo ...` until Ctrl-C."""
    config = (tyro.conf.FlagCreatePairsOff,)
    options = tyro.cli(_CommandLine, prog="ferscope demo", args=argv, config=config)
    if not port_is_free(options.port, options.host):
        sys.exit(f"Port {options.port} is in use or not permitted: choose another with --port.")
    auth = None
    if options.user:
        password = os.environ.get("FERSCOPE_DEMO_PASSWORD") or getpass.getpass(f"Password for {options.user}: ")
        auth = (options.user, password)
    ended = threading.Event()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: ended.set())
    limit_log()
    chosen = Options(options.share, options.samples_only, options.host_name, options.framed_by)
    serving = serve(chosen, options.host, options.port, auth)
    try:
        print(_where(serving, options.share), flush=True)
        while not ended.wait(2):
            if options.status:
                write_json(options.status, serving.status())
    finally:
        serving.close()


def _where(serving: Serving, share: bool) -> str:
    local = f"The demo is served at {serving.local}"
    if serving.link:
        return f"{serving.link} is the public link, for up to a week.\n{local} too. Ctrl-C ends both."
    if share:
        return f"No public link could be made: this computer does not reach Gradio's tunnel.\n{local}. Ctrl-C ends it."
    return f"{local}, for this computer only (--share makes a public link). Ctrl-C ends it."


if __name__ == "__main__":
    main()
