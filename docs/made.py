"""Tables of the documentation that are computed at each build, from the cards in checkpoints/ and the command line."""

import csv
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHECKPOINTS = ROOT / "checkpoints"


@cache
def _cards() -> dict[str, dict]:
    """Cards of all checkpoints by the names of their folders."""
    return {path.parent.name: json.loads(path.read_text("utf-8")) for path in CHECKPOINTS.rglob("card.json")}


def _shipped() -> dict[str, dict]:
    """Cards of the networks whose weights ship, the most accurate first."""
    found = {name: card for name, card in _cards().items() if (CHECKPOINTS / name / "model.safetensors").is_file()}
    found = {name: card for name, card in found.items() if name == card["network"] and card["metrics"]}
    return dict(sorted(found.items(), key=lambda item: -_flip(item[1])["accuracy"]))


def _flip(card: dict) -> dict:
    return card["metrics"]["PrivateTest"]["flip"]


def _percent(value: float, interval: list[float]) -> str:
    low, high = interval
    return f"{100 * value:.1f} % ({100 * low:.1f}–{100 * high:.1f})"


def _titles() -> dict[str, list[str]]:
    """The rows of the table in models/README.md by network: title, paper, …"""
    lines = (ROOT / "models" / "README.md").read_text("utf-8").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]
    return {name.strip("`"): rest for name, *rest in rows}


def _trainings(name: str) -> list[tuple[str, int]]:
    """Recipe and epochs of each training run that led to a checkpoint, the first one first."""
    card, steps = _cards()[name], []
    while True:
        steps.append((card["recipe"], _epochs(name, card)))
        starts = [one["name"] for one in card["ancestors"] if "start" in one["roles"]]
        if not starts or starts[0] not in _cards():
            return steps[::-1]
        name, card = starts[0], _cards()[starts[0]]


def _epochs(name: str, card: dict) -> int:
    history = next(CHECKPOINTS.rglob(f"{name}/history.csv"), None)
    return len(list(csv.reader(history.read_text("utf-8").splitlines()))) - 1 if history else card["epochs"]


def shipped() -> str:
    """The table of networks whose weights ship."""
    lines = [
        "| network | paper | parameters | PrivateTest, flip averaging | trained by | classes never recognized |",
        "|---|---|---:|---:|---|---|",
    ]
    for name, card in _shipped().items():
        title, paper, *_ = _titles()[name]
        flip = _flip(card)
        never = [class_ for class_, row in flip["per_class"].items() if row["recall"] == 0]
        options = ", ".join(f"{key}={value}" for key, value in card["overrides"].items())
        steps = " → ".join(f"`{recipe}` ({epochs})" for recipe, epochs in _trainings(name))
        cells = (
            f"{title} (`{name}`)" + (f", {options}" if options else ""),
            paper,
            f"{card['parameters'] / 1e6:.2f} M",
            _percent(flip["accuracy"], flip["accuracy_interval"]),
            steps,
            ", ".join(never) or "none",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def gates() -> str:
    """The table of what attention gates do, from the statistics beside the weights."""
    lines = ["| network | images | predictions unchanged with every gate held at its mean |", "|---|---|---:|"]
    for name in _shipped():
        file = CHECKPOINTS / name / "attention.json"
        if file.is_file():
            found = json.loads(file.read_text("utf-8"))
            together = next((m for m in found["modules"] if not m["layer"]), found["modules"][-1])
            images = f"{found['pictures']} of {found['of']}, {found['part']}"
            lines.append(f"| `{name}` | {images} | {100 * (1 - together['changed_mean']):.1f} % |")
    return "\n".join(lines)


def commands() -> str:
    """What `ferscope --help` prints."""
    from workbench.cli import usage  # here, because the other tables need no library

    return f"```\n{usage()}\n```"


MADE: dict[str, Callable[[], str]] = {"shipped": shipped, "gates": gates, "commands": commands}
