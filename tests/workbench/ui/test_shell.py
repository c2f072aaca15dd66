"""Who opens a page by its address asks for nothing that is not there."""

from pathlib import Path

import streamlit
from starlette.applications import Starlette
from starlette.testclient import TestClient

from workbench import navigation
from workbench.ui import shell


def test_every_page_with_an_address_is_streamlits_own_and_says_where_the_app_begins():
    static = Path(streamlit.__file__).with_name("static")
    visitor = TestClient(Starlette(routes=shell.routes(navigation.names())))
    for name in ("", *navigation.names()):
        page = visitor.get(f"/{name}").text
        assert page.count("window.__streamlit = {BACKEND_BASE_URL:") == 1
        assert "".join(page.split(shell._BEGINS)) == (static / "index.html").read_text(encoding="utf-8")
