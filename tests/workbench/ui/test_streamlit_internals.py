import re
import tomllib
from pathlib import Path

import pytest
import streamlit
from packaging.requirements import Requirement
from packaging.version import Version

from workbench.ui import streamlit_internals

ROOT = Path(__file__).resolve().parents[3]
PRIVATE = re.compile(
    r"streamlit\.(runtime|web|proto|net_util|config)|from streamlit import [^\n]*\b(runtime|config|net_util)\b"
    r"|data-test|_stcore|\bst(Main|App|Sidebar|TopNav)\w*"
)
FILES = [
    file
    for folder in ("workbench", "pages")
    for file in sorted((ROOT / folder).rglob("*.py"))
    if file != Path(streamlit_internals.__file__)
]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_private_names_of_streamlit_stand_in_one_file(file):
    assert PRIVATE.findall(file.read_text("utf-8")) == []


def test_the_one_file_is_found_by_the_same_search():
    assert len(PRIVATE.findall(Path(streamlit_internals.__file__).read_text("utf-8"))) > 5


def test_streamlit_is_capped_below_the_next_minor_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = next(r for r in map(Requirement, project["dependencies"]) if r.name == "streamlit").specifier
    seen = Version(re.search(r"Seen in Streamlit ([\d.]+)\d", streamlit_internals.__doc__)[0].split()[-1])
    assert wanted.contains(f"{seen.major}.{seen.minor}.9")
    assert not wanted.contains(f"{seen.major}.{seen.minor + 1}.0")
    assert wanted.contains(streamlit.__version__)


def test_outside_of_a_script_there_is_no_session():
    assert streamlit_internals.session_id() is None
    assert not streamlit_internals.is_history_navigation()


@pytest.mark.parametrize("data", [None, b"", b"\xff\xff", "clear_cache"])
def test_only_messages_that_a_page_sends_are_expected(data):
    if isinstance(data, str):
        data = streamlit_internals.BackMsg(**{data: True}).SerializeToString()
    assert not streamlit_internals.is_expected(data)
