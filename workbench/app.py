"""FERScope: streamlit run workbench/app.py

What every page has in common: the menu of `navigation.py`, the toolbar with network and face, and *Export*.
"""

import gc
from contextlib import asynccontextmanager, suppress

import streamlit as st
from starlette.middleware import Middleware

from workbench import navigation, services
from workbench.faces import sample_picture, samples
from workbench.server.connections import limit_connections
from workbench.server.logs import limit_log
from workbench.server.memory import share_heaps
from workbench.services.explain import warm
from workbench.ui import (
    export,
    gateway,
    page_content,
    shell,
    streamlit_internals,
    toolbar,
    url_state,
)

# A gray with a contrast over 3:1 on the light and the dark background, which suffices for large text.
NAME = """<svg xmlns="http://www.w3.org/2000/svg" width="160" height="32"><text x="0" y="25" font-size="27"
font-family="sans-serif" font-weight="bold" fill="#6B7280">FERScope</text></svg>"""
DEFAULTS = {"network": services.networks.DEFAULT_NETWORK, "sample": samples()[0].name}


def main() -> None:
    """Run the script once: Streamlit does so after each choice of a visitor."""
    # An icon from this repository: Streamlit fetches its named ones from an outside host.
    page = navigation.navigate()
    st.set_page_config(f"{page.title} · FERScope", page_icon=sample_picture("drawn_happy"), layout="wide")
    st.html(streamlit_internals.STYLE)
    st.logo(NAME, size="large")
    url_state.begin()
    choices = toolbar.choose(navigation.used(page.title))
    url_state.write(choices, DEFAULTS)
    above = st.empty()
    with above:
        url_state.warn()
    page_content.begin()
    with suppress(streamlit_internals.StopException):  # `state.stop` ends the page, not what is drawn below every page
        page.run()
    url_state.check()
    with above:
        url_state.warn()
    export.offer(page.title, page.url_path, choices)


@asynccontextmanager
async def warmed(_app):
    """Explain one face before the first visitor arrives, so that libraries and weights are loaded."""
    limit_log()
    share_heaps()
    warm()
    services.training.watch()
    gc.collect()
    gc.freeze()  # libraries stay loaded: collecting garbage among them would pause the server for up to 0.2 s
    yield


def say(error: Exception) -> bool:
    """Show one sentence instead of a stack trace, which goes to the terminal."""
    st.error(f"This page cannot be shown ({type(error).__name__}). Choose another face or network, or reload the page.")
    return True


# `streamlit run` imports this file once to find `app`; each session then runs it as the main script.
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
