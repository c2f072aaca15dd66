"""A small Streamlit app behind the gateway, in a process of its own that notes whom it asks."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from attacks.streamlit_client import Visitor, handshake, status
from helpers.browser import free_port, wait_until_served

ROOT = Path(__file__).resolve().parents[3]
FOREIGN = [
    *("http://evil.example", "https://127.0.0.1.evil.example", "http://127.0.0.1:9999", "null", "file://", ""),
    *("file:///etc/passwd", "http://", "http://[", "ws://127.0.0.1:8501", "chrome-extension://abc"),
]
PAGE = """
import sys
import streamlit as st
from starlette.middleware import Middleware
from workbench.server.connections import limit_connections
from workbench.ui import gateway, uploads

if __name__ == "__main__":
    st.write("hello")
    if st.query_params.get("upload"):
        uploads.file_uploader("file")
else:
    limit_connections()
    gateway.set_up()
    app = st.App(__file__, middleware=[Middleware(gateway.Gateway)])
"""
# Notes every name that is looked up and every address beyond this computer that is connected to.
WITNESS = """
import os, socket, sys

def note(*what):
    with open(os.environ["WITNESS"], "a") as file:
        print(*what, file=file)

resolve, join = socket.getaddrinfo, socket.socket.connect

def getaddrinfo(host, *rest, **named):
    if host not in ("127.0.0.1", "localhost", None, "0.0.0.0"):
        note("looked up", host)
    return resolve(host, *rest, **named)

def connect(self, address):
    if isinstance(address, tuple) and address[0] != "127.0.0.1":
        note("connected to", address)
    return join(self, address)

socket.getaddrinfo, socket.socket.connect = getaddrinfo, connect
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A small Streamlit app behind the gateway, and the file in which its process notes whom it asks."""
    folder, port = tmp_path_factory.mktemp("gateway"), free_port()
    (folder / "page.py").write_text(PAGE)
    (folder / "sitecustomize.py").write_text(WITNESS)
    witness = folder / "witness"
    witness.touch()
    environment = {**os.environ, "WITNESS": str(witness), "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "streamlit", "run", folder / "page.py", f"--server.port={port}"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    try:
        assert wait_until_served(f"http://127.0.0.1:{port}/_stcore/health", server), (folder / "log").read_text()
        yield port, witness
    finally:
        server.terminate()
        server.wait(60)


def test_foreign_origins_make_the_app_ask_nobody(served):
    port, witness = served
    began = time.monotonic()
    for origin in FOREIGN:
        assert handshake(port, origin) in (400, 403), origin
        assert handshake(port, origin, "evil.example") in (400, 403), origin
    assert time.monotonic() - began < 5
    assert handshake(port, f"http://127.0.0.1:{port}") == 101
    assert handshake(port, None) == 101
    assert status(port) == 200
    assert status(port, host="evil.example") == 421
    assert witness.read_text() == ""


def test_a_visitor_who_was_shown_no_uploader_uploads_nothing(served):
    port, _ = served
    with Visitor(port) as visitor:
        visitor.run()
        assert [visitor.upload(24 * 2**20, str(i)) in (0, 403) for i in range(3)] == [True] * 3
        assert visitor.connected()
    assert status(port) == 200


def test_the_client_of_these_tests_uploads_where_it_may(served):
    port, _ = served
    with Visitor(port) as visitor:
        visitor.run()
        assert visitor.upload(1000) in (0, 403)
        visitor.run(query="upload=1")
        assert visitor.upload(1000) == 204
        assert visitor.upload(1000, path=f"//_stcore/upload_file/{visitor.session}/a") != 204
