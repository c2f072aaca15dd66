"""The house rules that no other tool watches: names, thin pages, settings, contrast (import-linter has the layers)."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions, requires
from itertools import combinations
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {name: sorted((ROOT / name).rglob("*.py")) for name in ("models", "workbench", "pages")}
PUBLIC = [*SOURCES["models"], *SOURCES["workbench"]]
CONFIG = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))
THEMES = CONFIG["theme"]["light"], CONFIG["theme"]["dark"]


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
    missing = {}
    for path in [p for files in SOURCES.values() for p in files]:
        for name in packages(path) - sys.stdlib_module_names - set(SOURCES):
            if not {normal(owner) for owner in owners.get(name, (name,))} & (declared() | declared("kaggle")):
                missing.setdefault(name, name_of(path))
    assert missing == {}, "add these to the dependencies of pyproject.toml"


# ---------------------------------------------------------------------------------------------------------------------
# Every module


@pytest.mark.parametrize("path", PUBLIC, ids=name_of)
def test_nothing_unpickles(path):
    forbidden = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    assert packages(path) & forbidden == set()
    for call in (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)):
        called, arguments = ast.unparse(call.func), {k.arg: ast.unparse(k.value) for k in call.keywords}
        if called in ("torch.load", "torch.hub.load_state_dict_from_url"):
            assert arguments.get("weights_only") == "True", f"{name_of(path)}:{call.lineno} may run foreign code"
        assert arguments.get("allow_pickle", "False") == "False", f"{name_of(path)}:{call.lineno} may run foreign code"


@pytest.mark.parametrize("path", PUBLIC, ids=name_of)
def test_every_public_name_says_what_it_is(path):
    kinds = ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
    outer = [node for node in tree(path).body if isinstance(node, kinds)]
    inner = [
        n for c in outer if isinstance(c, ast.ClassDef) and c.name[0] != "_" for n in c.body if isinstance(n, kinds)
    ]
    silent = [f"{n.name}, line {n.lineno}" for n in outer + inner if n.name[0] != "_" and not ast.get_docstring(n)]
    assert ast.get_docstring(tree(path)) or not tree(path).body, "the module has no docstring"
    assert silent == []


# ---------------------------------------------------------------------------------------------------------------------
# Pages


def test_every_page_stands_in_the_menu():
    table = (ROOT / "workbench" / "navigation.py").read_text("utf-8")
    assert SOURCES["pages"]
    assert [p.name for p in SOURCES["pages"] if f'"{p.name}"' not in table] == []


@pytest.mark.parametrize("path", SOURCES["pages"], ids=name_of)
def test_a_page_is_thin(path):
    allowed = sys.stdlib_module_names | {"streamlit", "workbench"}
    assert packages(path) - allowed == set(), "a page calls one service; the library belongs behind it"
    assert len(path.read_text("utf-8").splitlines()) <= 160, "move what computes or draws to workbench/"
    nodes = list(ast.walk(tree(path)))
    assert not any(isinstance(n, ast.ClassDef) for n in nodes), (
        "classes live in modules: a page runs anew at each click"
    )
    functions = [n for n in nodes if isinstance(n, ast.FunctionDef)]
    assert len(functions) <= 6
    assert [f.name for f in functions if f.end_lineno - f.lineno >= 60] == []
    assert not (path.parent / "__init__.py").exists()


def test_every_fragment_tells_the_screen_that_it_runs():
    bare = [name_of(p) for p in [*PUBLIC, *SOURCES["pages"]] if "st.fragment" in p.read_text("utf-8")]
    assert bare == ["workbench/ui/screen.py"], "Keep this would hold charts that left the page: use screen.fragment"


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
    assert set(CONFIG["server"]["allowedHosts"]) == {"127.0.0.1", "localhost"}
    assert CONFIG["browser"]["gatherUsageStats"] is False


def test_a_visitor_sees_no_stack_trace_and_cannot_upload_a_film():
    assert CONFIG["client"]["showErrorDetails"] == "none"
    assert CONFIG["client"]["showErrorLinks"] is False
    assert CONFIG["server"]["maxUploadSize"] <= 25
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


# ---------------------------------------------------------------------------------------------------------------------
# Colours


def channels(colour: str) -> list[float]:
    """`#RRGGBB` → red, green, blue in 0..1."""
    assert re.fullmatch("#[0-9A-Fa-f]{6}", colour)
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels(colour)]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a: str, b: str) -> float:
    """Contrast ratio of WCAG 2.2: 1 (equal) to 21 (black on white)."""
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def test_the_contrast_is_measured_as_wcag_does():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("theme", THEMES, ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["backgroundColor", "secondaryBackgroundColor"])
@pytest.mark.parametrize("ink", ["textColor", "linkColor", "primaryColor"])
def test_text_and_accent_are_legible_on_both_grounds(theme, ground, ink):
    assert contrast(theme[ink], theme[ground]) >= 4.5


@pytest.mark.parametrize("theme", THEMES, ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["backgroundColor", "secondaryBackgroundColor"])
def test_captions_are_legible_too(theme, ground):
    # Streamlit draws them in the text's colour at 60 %.
    mixed = [0.6 * t + 0.4 * g for t, g in zip(channels(theme["textColor"]), channels(theme[ground]), strict=True)]
    caption = "#" + "".join(f"{round(255 * c):02X}" for c in mixed)
    assert contrast(caption, theme[ground]) >= 4.5


def test_one_theme_is_light_and_the_other_dark():
    light, dark = (luminance(theme["backgroundColor"]) for theme in THEMES)
    assert light > 0.9
    assert dark < 0.02


def test_the_accent_is_no_colour_of_an_emotion():
    import numpy as np
    from skimage.color import deltaE_ciede2000, rgb2lab

    from workbench.ui.charts import EMOTION_COLOURS

    def difference(a: str, b: str) -> float:
        return float(deltaE_ciede2000(*(rgb2lab(np.array(channels(colour))) for colour in (a, b))))

    # The ruler: the nearest two of the emotions themselves.
    nearest = min(difference(a, b) for a, b in combinations(EMOTION_COLOURS.values(), 2))
    for theme in THEMES:
        for emotion, colour in EMOTION_COLOURS.items():
            assert difference(theme["primaryColor"], colour) > max(20, nearest), emotion
