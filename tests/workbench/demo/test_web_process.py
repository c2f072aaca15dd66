"""The web demo as the page Share builds, serves and packs it."""

from __future__ import annotations

import io
import json
import time
import urllib.error
import urllib.request
import zipfile

import pytest

from workbench.demo import web_process
from workbench.demo.own_process import SharingError

pytestmark = pytest.mark.xdist_group("sharing")


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield
    web_process.stop()


@pytest.fixture
def demo(tmp_path):
    folder = tmp_path / "demo"
    (folder / "networks").mkdir(parents=True)
    (folder / "index.html").write_text("<p>FERScope</p>")
    (folder / "networks" / "a.onnx").write_bytes(b"weights")
    (folder / "demo.json").write_text(json.dumps({"networks": [{"title": "Residual CNN"}]}))
    (tmp_path / "secret").write_text("private")
    return folder


def fetched(address: str) -> bytes:
    for _ in range(200):
        try:
            return urllib.request.urlopen(address, timeout=10).read()
        except urllib.error.HTTPError:
            raise
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{address} does not respond")


def test_a_demo_is_served_found_again_and_ended(demo):
    assert web_process.current() is None
    server = web_process.start(demo)
    assert server.network == ()
    assert fetched(server.local) == b"<p>FERScope</p>"
    assert fetched(f"{server.local}/networks/a.onnx") == b"weights"
    for path in ("networks/", "..%2fsecret", "%2e%2e/secret", "missing"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            fetched(f"{server.local}/{path}")
    assert web_process.start(demo) == web_process.current() == server
    web_process.stop()
    assert web_process.current() is None
    web_process.stop()  # ending nothing is no error


def test_a_folder_without_a_demo_is_not_served(tmp_path):
    with pytest.raises(SharingError, match="build it again"):
        web_process.start(tmp_path)
    assert web_process.current() is None


def test_the_zip_file_holds_the_whole_folder(demo):
    found = web_process.written(demo)
    assert found.titles == ("Residual CNN",)
    with zipfile.ZipFile(io.BytesIO(web_process.zipped(demo))) as archive:
        assert sorted(archive.namelist()) == ["demo.json", "index.html", "networks/a.onnx"]
        assert sum(entry.file_size for entry in archive.infolist()) == found.bytes


@pytest.mark.parametrize("content", [None, "", "[]", '{"networks": 1}'])
def test_a_folder_without_a_demo_is_none(tmp_path, content):
    if content is not None:
        (tmp_path / "demo.json").write_text(content)
    assert web_process.written(tmp_path) is None
