"""The house rules that no other tool watches: names, thin pages, settings (ruff and import-linter have the rest)."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest

from workbench.decoders.video import MAX_BYTES

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {name: sorted((ROOT / name).rglob("*.py")) for name in ("models", "workbench", "pages")}
PUBLIC = [*SOURCES["models"], *SOURCES["workbench"]]
CONFIG = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))


# ---------------------------------------------------------------------------------------------------------------------
# Reading source without running it


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> set[str]:
    """Full names of what a file imports, at its top or inside a function; relative imports stay in their package."""
    names = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def packages(path: Path) -> set[str]:
    """Top-level names of what a file imports."""
    return {name.split(".")[0] for name in imports(path)}


def normal(distribution: str) -> str:
    """`Opencv_Python-headless>=4.10` → `opencv-python-headless`, as package indexes compare names."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", distribution)[0]).lower()


def declared(extra: str | None = None) -> set[str]:
    """Distributions that pyproject.toml asks for: those of the app, or those of one extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return {normal(line) for line in (project["optional-dependencies"][extra] if extra else project["dependencies"])}


@cache
def dependency_names() -> frozenset[str]:
    """Top-level import names of our dependencies and of theirs."""
    wanted, todo = set(), list(declared() | declared("test"))
    while todo:
        if (name := todo.pop()) in wanted:
            continue
        wanted.add(name)
        try:
            todo += [normal(line) for line in requires(name) or () if "extra ==" not in line]
        except ModuleNotFoundError:  # for another system or another Python
            continue
    return frozenset(top for top, owners in packages_distributions().items() if wanted & set(map(normal, owners)))


# ---------------------------------------------------------------------------------------------------------------------
# Names


def test_no_module_of_workbench_hides_a_library():
    # `streamlit run workbench/app.py` puts workbench/ first on sys.path: its modules answer to their bare names.
    own = {p.stem for p in (ROOT / "workbench").iterdir() if p.suffix == ".py" or (p.is_dir() and any(p.glob("*.py")))}
    assert "faces" in own
    assert {"torch", "streamlit", "PIL", "cv2", "starlette"} <= dependency_names()
    taken = sys.stdlib_module_names | dependency_names() | {"models", "pages", "tests"}
    assert own & taken == set()


def test_streamlit_finds_no_pages_folder_beside_the_app():
    assert not (ROOT / "workbench" / "pages").exists()


def test_every_imported_library_is_declared():
    owners = packages_distributions()
    known, missing = declared() | declared("kaggle") | declared("export"), {}
    for path in [p for files in SOURCES.values() for p in files]:
        for name in packages(path) - sys.stdlib_module_names - set(SOURCES):
            if not {normal(owner) for owner in owners.get(name, (name,))} & known:
                missing.setdefault(name, name_of(path))
    assert missing == {}, "add these to the dependencies of pyproject.toml"


# ---------------------------------------------------------------------------------------------------------------------
# Every module


PICKLING = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}


def unpickling(path: Path) -> list[str]:
    """Where a file may execute code from the data that it reads."""
    found = [f"imports {name}" for name in sorted(packages(path) & PICKLING)]
    for call in (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)):
        called, arguments = ast.unparse(call.func), {k.arg: ast.unparse(k.value) for k in call.keywords}
        loads = called in ("torch.load", "torch.hub.load_state_dict_from_url")
        if (loads and arguments.get("weights_only") != "True") or arguments.get("allow_pickle", "False") != "False":
            found.append(f"line {call.lineno}: {called}")
    return found


def test_nothing_unpickles():
    offenders = {name_of(path): found for path in PUBLIC if (found := unpickling(path))}
    assert offenders == {}, "this may execute foreign code: use safetensors, weights_only=True, allow_pickle=False"


def test_unpickling_is_found(tmp_path):
    lines = (
        "import pickle",
        "from joblib import load",
        "torch.load(file)",
        "torch.load(file, weights_only=False)",
        "torch.hub.load_state_dict_from_url(url)",
        "np.load(file, allow_pickle=True)",
    )
    (tmp_path / "reads.py").write_text("\n".join(lines))
    assert len(unpickling(tmp_path / "reads.py")) == len(lines)


# ---------------------------------------------------------------------------------------------------------------------
# Pages


def test_every_page_stands_in_the_menu():
    table = (ROOT / "workbench" / "navigation.py").read_text("utf-8")
    assert SOURCES["pages"]
    assert [p.name for p in SOURCES["pages"] if f'"{p.name}"' not in table] == []


def heavy(path: Path) -> list[str]:
    """What makes a page script too heavy."""
    nodes = list(ast.walk(tree(path)))
    functions = [n for n in nodes if isinstance(n, ast.FunctionDef)]
    long = [f.name for f in functions if f.end_lineno - f.lineno >= 60]
    foreign = packages(path) - sys.stdlib_module_names - {"streamlit", "workbench"}
    complaints = {
        f"imports {sorted(foreign)}: a page calls one service, and the library belongs behind it": foreign,
        "over 160 lines: move what computes or draws to workbench/": len(path.read_text("utf-8").splitlines()) > 160,
        "defines a class: a page is executed at each click, so classes live in modules": any(
            isinstance(n, ast.ClassDef) for n in nodes
        ),
        "over 12 functions, one for each tab and few others": len(functions) > 12,
        f"functions of over 60 lines: {long}": long,
    }
    return [complaint for complaint, true in complaints.items() if true]


def test_pages_are_thin():
    assert {name_of(path): found for path in SOURCES["pages"] if (found := heavy(path))} == {}
    assert not (ROOT / "pages" / "__init__.py").exists()


def test_no_file_is_longer_than_300_lines():
    lengths = {name_of(p): len(p.read_text("utf-8").splitlines()) for files in SOURCES.values() for p in files}
    assert {name: lines for name, lines in lengths.items() if lines > 300} == {}, "split it along a natural seam"


def test_every_fragment_tells_the_screen_that_it_runs():
    bare = [name_of(p) for p in [*PUBLIC, *SOURCES["pages"]] if "st.fragment" in p.read_text("utf-8")]
    assert bare == ["workbench/ui/page_content.py"], (
        "Export would contain charts that left the page: use page_content.fragment"
    )


# ---------------------------------------------------------------------------------------------------------------------
# What git ignores


def test_ignore_rules_that_could_hide_source_are_anchored():
    harmless = re.compile(r"__pycache__/|\*\.py\[co[d]?\]|\.\w+(_cache)?/?|\.DS_Store")
    lines = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    rules = [line.strip() for line in lines if line.strip() and line[0] not in "#!"]
    assert rules
    assert [rule for rule in rules if not rule.startswith("/") and not harmless.fullmatch(rule)] == []


def test_git_ignores_no_source_of_any_name():
    folders = ("data", "datasets", "models", "build", "dist", "runs", "results", "logs", "checkpoints", "env", "lib")
    paths = [f"{top}/{folder}/x.py" for top in ("models", "workbench", "tests", "pages") for folder in folders]
    paths += [name_of(path) for files in SOURCES.values() for path in files]
    paths += [f"checkpoints/residual_cnn/{file}" for file in ("model.safetensors", "card.json", "predictions.npz")]
    asked = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin"],
        cwd=ROOT,
        input="\n".join(paths),
        capture_output=True,
        text=True,
    )
    if asked.returncode == 128:
        pytest.skip("not a git checkout")
    assert asked.stdout.split() == []


# ---------------------------------------------------------------------------------------------------------------------
# Settings of the app


def test_the_app_listens_to_this_computer_only_and_reports_nothing():
    assert CONFIG["server"]["address"] == "127.0.0.1"
    assert set(CONFIG["server"]["allowedHosts"]) == {"127.0.0.1", "localhost", "::1"}
    assert CONFIG["browser"]["gatherUsageStats"] is False


def test_a_visitor_sees_no_stack_trace_and_cannot_upload_a_film():
    assert CONFIG["client"]["showErrorDetails"] == "none"
    assert CONFIG["client"]["showErrorLinks"] is False
    assert CONFIG["server"]["maxUploadSize"] == MAX_BYTES >> 20, "of a video; other uploads have limits of their own"
    for path in sorted((ROOT / "workbench" / "ui").rglob("*.py")):
        text = path.read_text("utf-8")
        if path.name != "uploads.py":
            assert text.count("file_uploader(") == text.count("max_upload_size="), path
    assert CONFIG["server"].get("enableXsrfProtection", True)
    assert CONFIG["server"].get("enableCORS", True)


def test_streamlit_knows_every_setting():
    from streamlit import config

    def flat(table: dict, prefix: str = ""):
        for key, value in table.items():
            yield from flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]

    assert [key for key in flat(CONFIG) if key not in config.get_config_options()] == []


def test_fonts_come_from_this_computer():
    fonts = {value for key, value in CONFIG["theme"].items() if key.lower().endswith("font")}
    assert fonts <= {"sans-serif", "serif", "monospace"}
    assert "//" not in str(CONFIG["theme"])


def test_no_click_waits_for_a_search_for_garbage():
    assert CONFIG["runner"]["postScriptGC"] is False, "Python searches by itself; Streamlit would after each run, 0.2 s"
