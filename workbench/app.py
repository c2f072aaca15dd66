"""FERScope: streamlit run workbench/app.py

What stands round every page: the sidebar with the network and the face, the pages of `navigation.py`, *Keep this*.
"""

import gc
from contextlib import asynccontextmanager, suppress

import streamlit as st
from starlette.middleware import Middleware
from streamlit.runtime.scriptrunner import StopException

from workbench import navigation, services
from workbench.faces import sample_picture, samples
from workbench.server.connections import limit_connections
from workbench.server.logs import limit_log
from workbench.server.memory import share_heaps
from workbench.services.explain import warm
from workbench.ui import export, face_input, gateway, model_picker, page_content, shell, state, url_state

STYLE = """<style>
.stMainBlockContainer {padding-top: 2.5rem; padding-bottom: 3rem}
[data-testid="stSidebar"] :is([data-testid="stButtonGroup"], [data-testid="stButton"]) button {padding-inline: 0.5rem}
[class*="st-key-unseen-"] {display: none}
[data-testid="stMarkdownContainer"]:has(> table) {overflow-x: auto} /* a wide table, and not the page, is moved aside */
.js-plotly-plot .modebar-container {top: auto !important; bottom: 22px} /* below the picture, not over it */
:is([data-testid^="stBaseButton-primary"], [data-testid="stMultiSelect"] [data-tag], [data-testid="stMultiSelect"]
[data-tag] *) {color: light-dark(#FFFFFF, #14161A) !important} /* Streamlit's is always white */
</style>"""
# A gray whose contrast is over 3:1 on the light and on the dark ground, enough for letters of this size.
NAME = """<svg xmlns="http://www.w3.org/2000/svg" width="160" height="32"><text x="0" y="25" font-size="27"
font-family="sans-serif" font-weight="bold" fill="#6B7280">FERScope</text></svg>"""
DEFAULTS = {"network": services.networks.DEFAULT_NETWORK, "sample": samples()[0].name}


def main() -> None:
    """One run of the script: what a visitor sees after each choice."""
    # An icon of our own: Streamlit fetches its named ones from an outside host.
    page = navigation.navigate()
    st.set_page_config(f"{page.title} · FERScope", page_icon=sample_picture("drawn_happy"), layout="wide")
    st.html(STYLE)
    st.logo(NAME, size="large")
    url_state.begin()
    choices = choose(navigation.used(page.title))
    url_state.put(choices, DEFAULTS)
    above = st.empty()
    with above:
        url_state.warn()
    page_content.begin()
    with suppress(StopException):  # `state.stop` ends the page, and not what stands below it
        page.run()
    url_state.check()
    with above:
        url_state.warn()
    export.offer(page.title, page.url_path, choices)


def choose(used: tuple[str, ...]) -> dict[str, str | None]:
    """The sidebar. What a page does not use is hidden, and not left out: Streamlit forgets what is not drawn."""
    with st.sidebar:
        with st.container(key="choose-network"):
            choices: dict[str, str | None] = {**model_picker.choose()}
        with st.container(key="choose-face"):
            choices |= face_input.choose()
        chosen = {"network": services.networks.get_spec(state.network()).title, "face": state.face_name() or "none yet"}
        if unused := [part for part in chosen if part not in used]:
            named = ", ".join(f"{part} {chosen[part]}" for part in unused)
            st.caption(f"Not used on this page, and still chosen for the others: {named}.")
            st.html("".join(f"<style>.st-key-choose-{part} {{display: none}}</style>" for part in unused))
    return choices


@asynccontextmanager
async def warmed(_app):
    """Explain one face before the first visitor comes, so that libraries and weights are loaded."""
    limit_log()
    share_heaps()
    warm()
    services.training.watch()
    model_picker.warm()
    gc.collect()
    gc.freeze()  # libraries stay: looking through them for garbage would stop the server for 0.2 s now and then
    yield


def say(error: Exception) -> bool:
    """In place of a stack trace, which goes to the terminal: one sentence for the visitor."""
    st.error(
        f"This page could not be shown ({type(error).__name__}). Choose another face or network, or reload the page."
    )
    return True


# `streamlit run` imports this file once to find the app; each visitor's session then runs it as the main script.
if __name__ == "__main__":
    main()
else:
    limit_connections()
    gateway.set_up()
    app = st.App(
        __file__,
        lifespan=warmed,
        on_script_error=say,
        routes=shell.routes(navigation.names()),
        middleware=[Middleware(gateway.Gateway)],
    )
