"""The empty page that a browser loads first and fills from then on: Streamlit's own, told where the app begins.

Whoever opens `/svd` by its address gets the same file as at `/`. Streamlit's script in it does not know how much of
that address is the app's place and how much the page's name, so it tries `/svd/_stcore/health` first, and the browser
logs that it is not there. Here the file says what is so anyway, because it fetches its scripts from there: the app
begins at the folder of the page.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import streamlit
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

_BEGINS = '<script>window.__streamlit = {BACKEND_BASE_URL: new URL(".", document.baseURI).href}</script>'


def routes(names: Iterable[str]) -> list[Route]:
    """One for each page that has a name in the address."""
    return [Route(f"/{name}", _answer) for name in names]


async def _answer(_request: Request) -> HTMLResponse:
    return HTMLResponse(_page(), headers={"Cache-Control": "no-cache"})


@cache
def _page() -> str:
    file = Path(streamlit.__file__).with_name("static") / "index.html"
    return file.read_text(encoding="utf-8").replace("<head>", f"<head>{_BEGINS}", 1)
