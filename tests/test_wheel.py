"""The wheel: what it holds, and that an installed FERScope works in an empty folder without its checkout."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from attacks.streamlit_client import Visitor, elements, handshake
from helpers.browser import free_port, wait_until_served

from workbench.faces import sample_picture

pytest.importorskip("hatchling", reason="hatchling is not installed, which builds the wheel: make test installs it")
pytestmark = pytest.mark.xdist_group("wheel")  # built once

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def files(wheel) -> dict[str, bytes]:
    """What the wheel holds, by path."""
    with zipfile.ZipFile(wheel) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> dict[str, str]:
    """An environment in which the wheel, and not the checkout, is imported, for a user with an empty home."""
    site, home = tmp_path_factory.mktemp("site-packages"), tmp_path_factory.mktemp("home")
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(site)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FERSCOPE_", "XDG_"))}
    return kept | {"PYTHONPATH": str(site), "HOME": str(home), "USERPROFILE": str(home), "LOCALAPPDATA": str(home)}


def command(*words: str) -> list[str]:
    """`ferscope ...` of whichever FERScope is imported."""
    return [sys.executable, "-c", "from workbench.cli import main; main()", *words]


def python(code: str, environment: dict[str, str], folder: Path) -> str:
    """What Python prints in a folder."""
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def tracked(*folders: str) -> set[str]:
    """Files of the checkout that git knows."""
    listed = subprocess.run(["git", "ls-files", "-z", *folders], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return {name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()}


def test_wheel_has_all_that_the_app_reads_and_nothing_else(files):
    code = tracked("models", "workbench")
    assert {"models/README.md", "models/py.typed", "workbench/py.typed", "workbench/papers/a.toml"} <= code
    data = tracked("pages", "checkpoints", "benchmarks/results", ".streamlit")
    left_out = {name for name in data if re.fullmatch(r"checkpoints/(\w+\.md|experiments/.*\.safetensors)", name)}
    held = {name for name in files if ".dist-info/" not in name}
    assert held == code | {f"ferscope/{name}" for name in data - left_out}
    assert any(name.startswith("ferscope/checkpoints/experiments/") for name in held), "the page Papers reads them"


def test_theme_and_settings_are_those_of_the_checkout(files):
    assert files["ferscope/.streamlit/config.toml"] == (ROOT / ".streamlit" / "config.toml").read_bytes()


def test_metadata_agrees_with_the_citation(files):
    (name,) = (name for name in files if name.endswith(".dist-info/METADATA"))
    facts = message_from_bytes(files[name])
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert facts["Version"] == PROJECT["version"] == re.search(r"^version: (.+)$", citation, re.M)[1]
    assert facts["Author"] == "The FERScope developers"
    assert f'- name: "{facts["Author"]}"' in citation
    assert facts["License-Expression"] == re.search(r"^license: (.+)$", citation, re.M)[1]
    assert (
        f"ferscope = {PROJECT['scripts']['ferscope']}" in files[name.replace("METADATA", "entry_points.txt")].decode()
    )


def test_installed_app_opens_its_pages_in_an_empty_folder(installed, tmp_path):
    port, log, empty = free_port(), tmp_path / "log", tmp_path / "empty"
    empty.mkdir()
    with log.open("wb") as out:
        app = subprocess.Popen(command("app", "--port", str(port)), cwd=empty, env=installed, stdout=out, stderr=out)
    try:
        assert wait_until_served(f"http://127.0.0.1:{port}/_stcore/health", app), log.read_text()
        assert f"URL: http://127.0.0.1:{port}" in log.read_text()
        assert handshake(port, f"http://evil.example:{port}", f"evil.example:{port}") == 403
        with Visitor(port) as visitor:
            sent = visitor.run()
            (session,) = (message.new_session for message in sent if message.WhichOneof("type") == "new_session")
            assert session.custom_theme.light.primary_color == "#12504B"
            assert not session.config.gather_usage_stats
            assert elements(sent, "alert") == elements(sent, "exception") == []
            assert len(elements(sent, "plotly_chart")) >= 3
            assert elements(visitor.run("papers"), "alert") == []
    finally:
        app.send_signal(signal.SIGTERM)
        app.wait(60)
    assert list(empty.iterdir()) == []


def test_installed_command_explains_an_image(installed, tmp_path):
    sample_picture("astronaut").save(tmp_path / "face.png")
    done = subprocess.run(
        command("explain", "face.png"), cwd=tmp_path, env=installed, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["face.png", "report.csv", "report.html"]
    assert "happy" in (tmp_path / "report.csv").read_text()


PLACES = "from models import paths; print(paths.SHIPPED, paths.HOME, paths.DATA, paths.RUNS, sep='\\n')"


def test_what_a_user_makes_goes_to_the_users_folder(installed, tmp_path):
    shipped, home, *inside = map(Path, python(PLACES, installed, tmp_path).split())
    assert shipped == Path(installed["PYTHONPATH"]) / "ferscope"
    assert home.is_relative_to(installed["HOME"])
    assert inside == [home / "data", home / "checkpoints" / "runs"]
    chosen = installed | {"FERSCOPE_HOME": str(tmp_path / "mine")}
    assert python(PLACES, chosen, tmp_path).split()[1:3] == [str(tmp_path / "mine"), str(tmp_path / "mine" / "data")]


def test_nothing_is_written_beside_what_was_installed(installed, files, tmp_path):
    """After the tests above have used it; the one command that writes there from a checkout is refused."""
    done = subprocess.run(
        command("models", "--write"), cwd=tmp_path, env=installed, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "installed as a copy" in done.stderr) == (1, True)
    site = Path(installed["PYTHONPATH"])
    found = {p.relative_to(site).as_posix(): p for p in site.rglob("*") if p.is_file() and p.suffix != ".pyc"}
    assert found.keys() == files.keys()
    assert [name for name, path in found.items() if path.read_bytes() != files[name]] == []


def test_from_a_checkout_everything_is_in_its_folders(tmp_path):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FERSCOPE_")}
    found = python(PLACES, kept | {"PYTHONPATH": str(ROOT)}, tmp_path).split()
    assert found == [str(path) for path in (ROOT, ROOT, ROOT / "data", ROOT / "checkpoints" / "runs")]
