"""The documents: a short README, links that lead somewhere, every command, recipe and module described."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest

from models.training.recipes import RECIPES
from workbench.cli import COMMANDS
from workbench.faces import sample_picture
from workbench.navigation import PAGES as APP_PAGES

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
CONFIG = (ROOT / "mkdocs.yml").read_text("utf-8")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "models").glob("*.md"), *DOCS.rglob("*.md")])


def loaded(name: str):
    """A script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made():
    return loaded("made")


def prose(page: Path) -> str:
    """A page without its code."""
    return re.sub(r"^```.*?^```$|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.M | re.S)


def test_readme_is_short_and_starts_with_both_commands():
    lines = (ROOT / "README.md").read_text("utf-8").splitlines()
    assert len(lines) <= 130
    assert any(line.startswith("make app") for line in lines[:40])
    assert any(line.startswith("make test") for line in lines[:40])


def test_every_link_leads_to_a_file():
    hooks_text = (DOCS / "hooks.py").read_text("utf-8")
    elsewhere = set(re.findall(r'": "([\w/-]+\.md)"', hooks_text))  # pages of the site that the hook adds
    assert "networks/code.md" in elsewhere
    missing = []
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", prose(page)):
            path = (page.parent / target).resolve()
            added = path.is_relative_to(DOCS) and path.relative_to(DOCS).as_posix() in elsewhere
            if not path.exists() and not added:
                missing.append(f"{page.relative_to(ROOT)}: {target}")
    assert missing == []


@pytest.mark.parametrize("page", ["README.md", "docs/quick-start.md", "docs/api/index.md"])
def test_python_of_a_document_runs_as_printed(page, capsys, tmp_path, monkeypatch):
    sample_picture("astronaut").save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    code = re.search(r"^```python\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.M | re.S)[1]
    exec(compile(code, page, "exec"), {})
    assert capsys.readouterr().out.startswith("happy torch.Size(")


def test_every_page_of_the_site_is_in_its_navigation():
    assert [p.name for p in DOCS.rglob("*.md") if p.relative_to(DOCS).as_posix() not in CONFIG] == []


def test_every_page_of_the_app_has_a_guide_and_a_screenshot():
    for file, *_ in APP_PAGES:
        name = Path(file).stem
        assert f"../images/pages/{name}.webp" in (DOCS / "pages" / f"{name}.md").read_text("utf-8")
    assert len(list((DOCS / "images" / "pages").iterdir())) == len(APP_PAGES)


def test_every_module_of_the_api_exists():
    named = [
        name for page in (DOCS / "api").glob("*.md") for name in re.findall(r"^::: ([\w.]+)$", page.read_text(), re.M)
    ]
    assert len(named) > 20
    paths = {name: ROOT / name.replace(".", "/") for name in named}
    assert [
        n for n, p in paths.items() if not p.with_suffix(".py").is_file() and not (p / "__init__.py").is_file()
    ] == []


EXAMPLES = {"pages/subject.py", "docs/pages/subject.md"}
MADE_LATER = {"checkpoints/runs"}


def test_every_path_and_module_that_a_document_names_exists():
    missing = []
    for page in PAGES:
        text = page.read_text("utf-8")
        for path in re.findall(r"`((?:\.ci|benchmarks|checkpoints|docs|models|pages|tests|workbench)/[\w./-]*)`", text):
            if path.rstrip("/") not in EXAMPLES | MADE_LATER and not (ROOT / path).exists():
                missing.append(f"{page.relative_to(ROOT)}: {path}")
        for name in re.findall(r"`((?:models|workbench)(?:\.[a-z_]\w*)+)`", text):
            module = ROOT / name.replace(".", "/")
            if not module.is_dir() and not any(m.with_suffix(".py").is_file() for m in (module, module.parent)):
                missing.append(f"{page.relative_to(ROOT)}: {name}")
    assert missing == []


def test_every_command_and_recipe_is_described():
    table = (DOCS / "command-line.md").read_text("utf-8")
    assert [name for name in COMMANDS if f"`{name}`" not in table and f"ferscope {name}" not in table] == []
    training = (DOCS / "training.md").read_text("utf-8")
    assert [name for name in RECIPES if f"`{name}`" not in training] == []


def test_every_environment_variable_is_in_the_table():
    files = [path for name in ("models", "workbench", "tests", "benchmarks") for path in (ROOT / name).rglob("*.py")]
    named = {name for path in files for name in re.findall(r"\bFERSCOPE_[A-Z0-9]\w*", path.read_text("utf-8"))}
    text = (DOCS / "command-line.md").read_text("utf-8").split("## Environment variables")[1].split("\n## ")[0]
    assert named == set(re.findall(r"`(FERSCOPE_\w+)`", text))


def test_site_fetches_no_fonts():
    assert re.search(r"^  font: false\b", CONFIG, re.M)
    assert "://" not in CONFIG


def test_result_tables_come_from_the_cards(made):
    rows = {line.split("`")[1]: line for line in made.shipped().splitlines()[2:]}
    weights = {path.parent.name for path in (ROOT / "checkpoints").glob("*/model.safetensors")}
    assert set(rows) <= weights
    assert rows
    for name, row in rows.items():
        card = json.loads((ROOT / "checkpoints" / name / "card.json").read_text("utf-8"))
        assert f"{100 * card['metrics']['PrivateTest']['flip']['accuracy']:.1f} %" in row
        assert f"`{card['recipe']}` (" in row
    with_gates = {line.split("`")[1] for line in made.gates().splitlines()[2:]}
    assert with_gates == {name for name in rows if (ROOT / "checkpoints" / name / "attention.json").is_file()}


def test_results_of_the_readme_are_those_of_the_cards():
    rows = re.findall(r"^\| `(\w+)`.* \| ([\d.]+) M \| ([\d.]+) % ", (ROOT / "README.md").read_text("utf-8"), re.M)
    assert len(rows) >= 5
    for name, millions, percent in rows:
        card = json.loads((ROOT / "checkpoints" / name / "card.json").read_text("utf-8"))
        found = f"{card['parameters'] / 1e6:.2f}", f"{100 * card['metrics']['PrivateTest']['flip']['accuracy']:.1f}"
        assert (millions, percent) == found, f"{name}: update the table in README.md"


FIVE_SVD = [
    f"resnet18_svd_{kind}-scratch-official-s0" for kind in ("hfc", "lfc", "hfc_lfc", "hfc_lfc_hl", "hfc_normalized")
]
# Sentences with accuracies of PrivateTest with flip averaging, and the runs whose least and greatest they state.
SENTENCES = {
    "README.md": {
        "the same `vanilla_cnn` had {} %": ["vanilla_cnn-short-official-s0"],
        "reaches {} % with BAM": ["resnet18_bam-scratch-official-s0"],
        "{} to {} % with five kinds of SVD attention": FIVE_SVD,
        "and {} % without (one seed each)": ["resnet18"],
        "SVD attention reached {} %": ["efficientnet_lite0_svd_hfc-transfer-official-s1"],
        "divided by the largest (ours) it reached {} %": [
            "efficientnet_lite0_svd_hfc-normalize.True-transfer-official-s0"
        ],
    },
    "docs/networks/index.md": {
        "always happy, is correct for {} %": None,
        "MobileNetV2 hardly learns in nine epochs at 48 pixels, and reaches {} % in thirty": [
            "mobilenet_v2-scratch-epochs.30-official-s0"
        ],
        "`vanilla_cnn` rises from {} % to": ["vanilla_cnn-short-official-s0"],
        "to {} % in 26": ["vanilla_cnn"],
    },
}


def accuracy(run: str) -> float:
    """Accuracy of a run on PrivateTest with flip averaging, in percent."""
    folders = (ROOT / "checkpoints" / run, ROOT / "checkpoints" / "experiments" / run)
    card = next(folder / "card.json" for folder in folders if (folder / "card.json").is_file())
    return 100 * json.loads(card.read_text("utf-8"))["metrics"]["PrivateTest"]["flip"]["accuracy"]


@pytest.mark.parametrize("page", SENTENCES)
def test_accuracies_in_sentences_are_those_of_the_cards(page):
    lines = (ROOT / page).read_text("utf-8").splitlines()
    text = " ".join(" ".join(line for line in lines if not line.startswith("|")).split())
    checked = 0
    for sentence, runs in SENTENCES[page].items():
        found = re.search(re.escape(sentence).replace(r"\{\}", r"(\d+\.\d)"), text)
        assert found, f"{page} no longer says: {sentence}"
        checked += len(found.groups())
        if runs:
            values = sorted(map(accuracy, runs))
            expected = [f"{value:.1f}" for value in ((values[0], values[-1]) if len(values) > 1 else values)]
            assert list(found.groups()) == expected, f"{page}: {sentence}"
    assert len(re.findall(r"\d+\.\d(?= (?:to|%))", text.partition("95 % interval")[2])) == checked, (
        "a figure that no card is compared with"
    )


def test_a_chain_of_training_runs_is_listed_from_its_start(made, tmp_path, monkeypatch):
    for name, recipe, start, epochs in (("first", "quick", [], 3), ("second", "polish", ["first"], 2)):
        (tmp_path / name).mkdir()
        ancestors = [{"name": one, "roles": ["start"]} for one in start]
        (tmp_path / name / "card.json").write_text(json.dumps({"recipe": recipe, "ancestors": ancestors}))
        (tmp_path / name / "history.csv").write_text("epoch\n" + "1\n" * epochs)
    monkeypatch.setattr(made, "CHECKPOINTS", tmp_path)
    made._cards.cache_clear()
    assert made._trainings("second") == [("quick", 3), ("polish", 2)]
    made._cards.cache_clear()


@pytest.mark.parametrize(
    ("html", "fetched"),
    [
        ('<script src="https://cdn.example.org/x.js"></script>', True),
        ('<link rel="stylesheet" href="//fonts.example.org/css">', True),
        ("<img alt=x src=http://example.org/x.png>", True),
        ('<a href="https://example.org">', False),
        ('<link rel="canonical" href="https://example.org/">', False),
        ('<script src="assets/x.js"></script>', False),
    ],
)
def test_build_finds_what_a_browser_would_fetch_elsewhere(html, fetched):
    pytest.importorskip("mkdocs", reason="make docs installs mkdocs")
    assert bool(loaded("hooks")._FETCHED.search(html)) == fetched
