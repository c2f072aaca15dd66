"""The HTML file that a browser loads first: Streamlit's own, with the base URL of the app added.

Whoever opens `/svd` by its address gets the same file as at `/`. Streamlit's script in it does not know how much of
that address is the app's place and how much the page's name, so it tries an address below `/svd` first, and the browser
logs that it is not there. Here the file says what is so anyway, because it fetches its scripts from there: the app
begins at the folder of the page.

For one click in the menu, Streamlit's script makes up to four entries in the browser's history, most of them without
what was chosen on the page. Here each click or key makes one at most, and going back does not clear the address of what
two pages have in common, such as the tab, so that the back button restores the view.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from . import streamlit_internals

PATIENCE = 15  # seconds until the page says that it cannot connect
_BEGINS = (
    f"""<script>{streamlit_internals.BACKEND % 'new URL(".", document.baseURI).href'}"""
    + """
{
  const connected = () => document.querySelector('SELECTOR')
  setTimeout(() => {
    if (connected()) return
    const alert = document.createElement("p")
    alert.setAttribute("role", "alert")
    alert.style = "position: fixed; inset: 30vh 1em auto; max-width: 36em; margin: auto; padding: 1em;" +
      "z-index: 1000000; font: 17px sans-serif; color: #111418; background: #FCFCFA; border: 2px solid #12504B"
    alert.textContent = `This page cannot connect to FERScope at ${location.host}. Too many visitors may be ` +
      "connected: wait a minute, then reload. Otherwise use an address that was printed when FERScope was started, " +
      `or start it with "ferscope app --host-name ${location.hostname}"; a proxy must pass WebSockets on.`
    document.body.append(alert)
    const watch = setInterval(() => connected() && (alert.remove(), clearInterval(watch)), 500)
  }, SECONDS * 1000)
  let acted = false, back = false
  const note = (byVisitor) => () => { acted = byVisitor, back = !byVisitor }
  for (const kind of ["pointerdown", "keydown"]) addEventListener(kind, note(true), true)
  addEventListener("popstate", note(false), true)
  const push = history.pushState.bind(history), replace = history.replaceState.bind(history)
  history.pushState = (state, title, url) => {
    (acted ? push : history.replaceState)(state, title, url)
    acted = false
  }
  history.replaceState = (state, title, url) => {
    const to = new URL(url ?? "", location.href), said = new URLSearchParams(location.search)
    const subset = [...to.searchParams].every(([key, value]) => said.getAll(key).includes(value))
    const cleared = back && to.pathname === location.pathname && subset  // of what the entry says
    back = false
    if (!cleared) replace(state, title, url)
  }
}</script>""".replace("SELECTOR", streamlit_internals.CONNECTED).replace("SECONDS", str(PATIENCE))
)


def routes(names: Iterable[str]) -> list[Route]:
    """One route for the first page, and one for each page with a path."""
    return [Route(f"/{name}", _answer) for name in ("", *names)]


async def _answer(_request: Request) -> HTMLResponse:
    return HTMLResponse(_page(), headers={"Cache-Control": "no-cache"})


@cache
def _page() -> str:
    return streamlit_internals.INDEX.read_text(encoding="utf-8").replace("<head>", f"<head>{_BEGINS}", 1)
