"""A web server for the folder of a web demo: its files only, without lists, for this computer or the local network.

python -m workbench.server.static FOLDER --port 7900
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import tyro
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

_MOST_CONNECTIONS = 400


def application(folder: Path) -> Starlette:
    """The ASGI application that serves a folder to GET and HEAD; `/` is its index.html, links are not followed."""
    return Starlette(routes=[Mount("/", StaticFiles(directory=folder, html=True))])


def serve(folder: Annotated[Path, tyro.conf.Positional], port: int = 7900, host: str = "127.0.0.1") -> None:
    """Serve a folder until it is ended.

    Args:
        folder: folder with an index.html
        port: port of the server
        host: address to listen at; 0.0.0.0: the local network
    """
    if not (folder / "index.html").is_file():
        sys.exit(f"{folder} has no index.html: write it with `ferscope export web {folder}`.")
    uvicorn.run(
        application(folder), host=host, port=port, log_level="warning", limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=5, server_header=False,
    )  # fmt: skip


if __name__ == "__main__":
    tyro.cli(serve)
