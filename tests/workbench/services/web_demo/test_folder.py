"""The written folder holds all that the page needs, and nothing of any other host."""

from __future__ import annotations

import json
import re

import pytest

from workbench.commands import export
from workbench.faces import samples
from workbench.services import web_demo
from workbench.services.web_demo import folder

pytestmark = pytest.mark.xdist_group("web-demo")  # they share an export


@pytest.fixture(scope="module")
def written(late, exported, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder, "_trained", lambda name: late)
        patch.setattr(folder, "export_network", lambda *_: exported)
        return web_demo.write(tmp_path_factory.mktemp("demo") / "new", ["small"])


def test_the_service_worker_lists_every_file(written):
    first, _, rest = (written.folder / "sw.js").read_text().partition("\n")
    listed = json.loads(re.fullmatch(r"self\.FERSCOPE = (.*);", first)[1])
    found = {path.relative_to(written.folder).as_posix() for path in written.folder.rglob("*") if path.is_file()}
    assert set(listed["files"]) == found - {"sw.js"} | {"./"}
    assert "caches.open" in rest
    assert set(written.sizes) == found
    assert {f"samples/{sample.name}.png" for sample in samples()} <= found


def test_without_a_network_the_folder_has_room_for_one(written):
    assert written.bytes - written.sizes["networks/small.onnx"] < 6e6, "below 15 MB with one of up to 9 MB"


def test_nothing_is_loaded_from_another_host(written):
    page = (written.folder / "index.html").read_text()
    policy = re.search(r'content="(default-src[^"]*)"', page)[1]
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    assert "unsafe-inline" not in policy
    assert re.findall(r"(?:src|href)=\"((?:https?:)?//[^\"]*)\"", page) == []
    assert "<style" not in page
    assert re.search(r"<script(?![^>]*src=)", page) is None


def test_the_page_reads_classes_colors_temperature_and_words(written, late):
    contents = json.loads((written.folder / "demo.json").read_text())
    (network,) = contents["networks"]
    assert network["classes"] == list(late.classes)
    assert (network["size"], network["channels"], network["temperature"]) == (32, 1, 1.5)
    assert network["layer"] == "maps"
    assert len(network["attention"]) == 4
    assert contents["words"]["limits"] in " ".join(contents["words"]["notice"])
    assert len(contents["inferno"]) == 6 * 256


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--network", "vulpe_cnn"], '"vulpe_cnn" has no trained weights here'),
        (["--network", "../x"], "is not a name of a network"),
    ],
)
def test_errors_say_what_to_do(arguments, message, tmp_path):
    with pytest.raises(SystemExit, match=message):
        export.main(["web", str(tmp_path / "demo"), *arguments])
    assert list(tmp_path.iterdir()) == []
