"""The page Share, as a teacher works it; the public demo itself is in tests/workbench/demo."""

from __future__ import annotations

import json
import urllib.request

import pytest
from streamlit.testing.v1 import AppTest

from workbench.demo import web_process
from workbench.navigation import FOLDER

pytestmark = pytest.mark.xdist_group("sharing")
APP = str(FOLDER.parent / "workbench" / "app.py")


@pytest.fixture
def web_demo(tmp_path, monkeypatch):
    """The page with the tab of the web demo open; a build writes a small folder at once."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(web_process, "FOLDER", tmp_path / "demo")

    def build(names, _progress):
        if "vanilla_cnn" in names:
            raise ValueError("Vanilla CNN cannot be exported.")
        web_process.FOLDER.mkdir()
        (web_process.FOLDER / "index.html").write_text("FERScope")
        (web_process.FOLDER / "demo.json").write_text(json.dumps({"networks": [{"title": name} for name in names]}))

    monkeypatch.setattr(web_process, "build", build)
    app = AppTest.from_file(APP, default_timeout=300)
    app.query_params["tab"] = "Web demo"
    app.switch_page("../pages/share.py").run()
    assert not app.exception
    yield app
    web_process.stop()


def click(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click()
    app.run()
    assert not app.exception


def test_the_web_demo_is_built_served_to_the_class_and_stopped(web_demo, monkeypatch):
    app = web_demo
    assert not [button for button in app.button if button.label == "Serve the web demo"]
    click(app, "Build the web demo")
    assert any("**Built:** residual_cnn" in block.value for block in app.markdown)
    monkeypatch.setattr(web_process, "addresses", lambda: ["192.168.1.5"])
    app.toggle(key="web-lan").set_value(True).run()
    click(app, "Serve the web demo")
    server = web_process.current()
    assert server.network == (server.local.replace("localhost", "192.168.1.5"),)
    assert urllib.request.urlopen(server.local, timeout=30).read() == b"FERScope"
    assert any(f"## {server.network[0]}" == block.value for block in app.markdown)
    assert any("Without https" in block.value for block in app.markdown)
    click(app, "Stop serving the web demo")
    assert web_process.current() is None


def test_a_network_that_cannot_be_exported_is_named(web_demo):
    web_demo.multiselect(key="web-networks").set_value(["vanilla_cnn"]).run()
    click(web_demo, "Build the web demo")
    assert [error.value for error in web_demo.error] == ["Vanilla CNN cannot be exported."]
