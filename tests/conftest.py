"""What every test shares: a quiet environment, and the way to the real data set."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from pathlib import Path

# Before torch is imported: on pictures of 48 pixels more threads only wait for each other, and beside another busy
# process they wait for very long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("STREAMLIT_LOGGER_LEVEL", "error")  # AppTest would warn at every step that no server is running
os.environ["STREAMLIT_BROWSER_GATHER_USAGE_STATS"] = "false"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"  # tests fetch nothing
os.environ["FERSCOPE_JOBS"] = str(Path(tempfile.mkdtemp()) / "jobs")  # and see nobody's own training runs

# Before the hook below: whatever a module imports while the hook is at work is compiled anew; torch would take seconds.
import captum.attr  # noqa: F401
import helpers.typecheck  # noqa: F401
import jaxtyping
import matplotlib.pyplot  # noqa: F401
import pytest
import scipy.stats  # noqa: F401
import torchvision.transforms.v2  # noqa: F401

gc.disable()  # until all tests are collected: imports leave little garbage, and searching for it takes seconds
jaxtyping.install_import_hook(
    ["models.layers", "models.architectures", "workbench.analysis"], "helpers.typecheck.checked"
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """All tests of a network follow one another, on one core where there are several: it builds the large ones once.

    So do those of a page, whose first visit computes what later ones find, those of the real set, which is read once,
    and those of a module that makes a fixture for all of them.
    """
    from models import list_models

    pages = {path.name for path in (config.rootpath / "pages").glob("*.py")}
    names, places = set(list_models()), {}
    for place, item in enumerate(items):
        given = item.callspec.params if hasattr(item, "callspec") else {}
        of = [value for value in given.values() if isinstance(value, str) and value in names]
        page = item.path.name.removeprefix("test_") if item.path.parent.name == "pages" else given.get("page")
        if "fer2013" in item.fixturenames:
            item.add_marker(pytest.mark.xdist_group("fer2013"))
        elif page in pages and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(f"page-{page}"))
        elif of and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(f"{item.path.stem}-{of[0]}"))
        elif item.get_closest_marker("xdist_group") is None and _shares_a_fixture(item):
            item.add_marker(pytest.mark.xdist_group(item.location[0]))
        group = item.get_closest_marker("xdist_group")
        places[item] = places.setdefault(group.args[0], place) if group else place
    items.sort(key=places.get)


def _shares_a_fixture(item) -> bool:
    found = item._fixtureinfo.name2fixturedefs.values()  # pytest has no public way to the scopes of an item's fixtures
    return any(fixture.scope == "module" for fixtures in found for fixture in fixtures)


def pytest_collection_finish():
    """Libraries and tests stay, so they are not searched for garbage again and again."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def no_search_for_components():
    """Each AppTest would read the metadata of every installed package (a quarter of a second) to find Streamlit
    components, of which the app uses none."""
    with pytest.MonkeyPatch.context() as patch:
        if "streamlit.testing.v1.app_test" in sys.modules:
            manager = sys.modules["streamlit.testing.v1.app_test"].BidiComponentManager
            patch.setattr(manager, "discover_and_register_components", lambda *_, **__: None)
        yield


@pytest.fixture
def unchecked(monkeypatch):
    """Calls are not checked against their signatures: for tests that pass something else on purpose."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture(scope="session")
def fer2013() -> Path:
    """Where the real FER2013 lies: archive, folder, CSV or npz."""
    named = os.environ.get("FERSCOPE_FER2013")
    if not named:
        pytest.skip("FERSCOPE_FER2013 is not set: give the path of the FER2013 archive, folder, CSV or npz")
    path = Path(named).expanduser().resolve()
    if not path.exists():
        pytest.fail(f"FERSCOPE_FER2013 names {path}, which does not exist.", pytrace=False)
    return path
