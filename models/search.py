"""`ferscope search`: train a small grid of settings for a few epochs, and rank them by validation accuracy.

    ferscope search --model resnet18 --recipe scratch --grid learning_rate=3e-4,1e-3,3e-3 input_size=48,64
    ferscope search --model efficientnet_lite0 --recipe transfer --one-at-a-time --grid ema=0.998 input_size=64

Every combination of the values is a run in a folder of its own; with `--one-at-a-time`, the recipe as it is and each
value alone in place of the recipe's. Those that are finished are skipped when the command is called again, also with a
larger grid. `results.md` and `results.json` in the folder of all runs have the ranking. The test set plays no part in
it.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from .checkpoints import read_card
from .files import DiskFullError, write_bytes, write_json
from .paths import FER2013, RUNS
from .registry import check_overrides, get_spec
from .training.config import TrainConfig, read_config
from .training.errors import Interrupted, TrainingError
from .training.recipes import from_recipe
from .zoo import minutes

OPTION = "overrides."
"""Prefix of an architecture option in a grid."""


@dataclass(frozen=True)
class Tried:
    """One combination.

    Attributes:
        settings: the fields of `TrainConfig` that the grid varies, with their values here.
        validation: accuracy on the validation set after each epoch, 0..1; empty where training failed.
        seconds: mean duration of an epoch in seconds.
        error: why training failed; empty where it did not.
    """

    settings: dict[str, Any]
    validation: tuple[float, ...] = ()
    seconds: float = 0.0
    error: str = ""

    @property
    def best(self) -> float:
        """The highest of `validation`; 0 where there is none."""
        return max(self.validation, default=0.0)


def read_grid(texts: Sequence[str]) -> dict[str, list[Any]]:
    """The values of each field: ["learning_rate=1e-3,3e-3"] → {"learning_rate": [0.001, 0.003]}.

    Numbers, true, false and none are read as such, anything else as text.

    Raises:
        ValueError: a text is no such list, or names a field that does not exist.
    """
    grid: dict[str, list[Any]] = {}
    for text in texts:
        name, _, values = text.partition("=")
        if not name or not all(value.strip() for value in values.split(",")):
            raise ValueError(f'"{text}" is not a list of values: write it as learning_rate=1e-3,3e-3')
        if not name.startswith(OPTION) and name not in TrainConfig.model_fields:
            raise ValueError(f'"{name}" is not a setting of a training run; ferscope train --help lists them.')
        grid[name] = list(map(_value, values.split(",")))
    return grid


def combinations(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Every choice of one value for each field; the last field varies first."""
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def alone(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """No change, and then each value of each field alone."""
    return [{}, *({name: value} for name, values in grid.items() for value in values)]


def configure(base: TrainConfig, settings: Mapping[str, Any], folder: Path) -> TrainConfig:
    """The configuration of one combination, whose run has its own folder below `folder`.

    Raises:
        ValueError: a value is out of its range, or an option is not one of the network's.
    """
    fields = {name: value for name, value in settings.items() if not name.startswith(OPTION)}
    options = {name.removeprefix(OPTION): value for name, value in settings.items() if name.startswith(OPTION)}
    name = re.sub(r"[^\w.+-]", "_", "-".join(f"{key}.{value}" for key, value in settings.items())) or "default"
    values = base.model_dump() | fields | {"overrides": base.overrides | options, "out": folder / name, "resume": True}
    config = TrainConfig.model_validate(values)
    check_overrides(config.model, config.overrides)
    return config


def search(
    configs: Sequence[tuple[TrainConfig, dict[str, Any]]], end: float, say: Callable[[str], None] = print
) -> list[Tried] | None:
    """Train every combination that is not finished.

    Args:
        configs: the configuration of each combination, and its settings.
        end: time limit on the clock of `time.monotonic()`; no epoch is begun that would end later.
        say: called with a sentence before each training run.

    Returns:
        What was tried, the best first; None where the time ended before all of it was.

    Raises:
        Interrupted: after Ctrl-C; the same call continues.
        DataError, DiskFullError: the search failed; the message says why and what to do.
    """
    found = []
    for number, (config, settings) in enumerate(configs, 1):
        say(f"{number} of {len(configs)}: {_listed(settings)}")
        tried = _tried(config, settings, end)
        if tried is None:
            say(f"The time is used up; {number - 1} of {len(configs)} combinations are finished.")
            return None
        found.append(tried)
    return sorted(found, key=lambda tried: -tried.best)


def _tried(config: TrainConfig, settings: dict[str, Any], end: float) -> Tried | None:
    from .training import resume
    from .training.engine import train

    if not _is_finished(config):
        left = (end - time.monotonic()) / 60
        if left <= 0:
            return None
        try:
            train(config.model_copy(update={"minutes": left}))
        except TrainingError as error:
            return Tried(settings, error=str(error))
        facts = resume.load_facts(config.folder)
        if len(facts["history"]) < config.epochs and config.early_stop is None:
            return None
        write_json(config.folder / "history.json", facts["history"])
        (config.folder / resume.FILE).unlink()  # several times the size of the weights, in every combination
    history = json.loads((config.folder / "history.json").read_text(encoding="utf-8"))
    accuracies = tuple(row["validation_accuracy"] for row in history)
    return Tried(settings, accuracies, sum(row["seconds"] for row in history) / len(history))


def _is_finished(config: TrainConfig) -> bool:
    """Whether this very training run was finished; one with other settings in its folder raises TrainingError."""
    if not (config.folder / "history.json").is_file():
        return False
    before = read_config(config.folder)
    if before.curve() != config.curve() or read_card(config.folder).epochs > config.epochs:
        raise TrainingError(f"{config.folder} holds a training run with other settings. Choose another --out.")
    return True


# ---- the ranking


def table(found: Sequence[Tried], title: str) -> str:
    """The ranking in Markdown."""
    epochs = max(len(tried.validation) for tried in found)
    head = ["settings", *(f"epoch {i + 1}" for i in range(epochs)), "best ↑", "seconds an epoch"]
    lines = [f"# {title}", "", "Accuracy on the validation set, %. The test set plays no part.", ""]
    lines += [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for tried in found:
        curve = [f"{100 * value:.1f}" for value in tried.validation]
        figures = [*curve, *[""] * (epochs - len(curve)), f"{100 * tried.best:.1f}" if curve else tried.error]
        row = [_listed(tried.settings), *figures, f"{tried.seconds:.0f}" if curve else ""]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def _report(found: Sequence[Tried], title: str, folder: Path, console: Console) -> None:
    write_json(folder / "results.json", [dataclasses.asdict(tried) for tried in found])
    write_bytes(folder / "results.md", table(found, title).encode())
    ranking = Table("settings", "best validation accuracy", "seconds an epoch", title=title)
    for tried in found:
        best = f"{tried.best:.1%}" if tried.validation else tried.error
        ranking.add_row(_listed(tried.settings), best, f"{tried.seconds:.0f}")
    console.print(ranking)
    console.print(f"Written to {folder / 'results.md'}", soft_wrap=True)


def _value(text: str) -> Any:
    text = text.strip()
    if text.lower() == "none":
        return None
    try:
        return json.loads(text.lower() if text.lower() in ("true", "false") else text)
    except ValueError:
        return text


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)


def _listed(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_shown(value)}" for name, value in settings.items()) or "the recipe as it is"


# ---- the command


def run(
    model: str,
    grid: tuple[str, ...],
    recipe: str = "",
    one_at_a_time: bool = False,
    epochs: int = 5,
    split: str = "official",
    seed: int = 0,
    data: Path = FER2013,
    out: Path | None = None,
    budget: str = "24h",
    threads: int | None = None,
    device: str = "auto",
) -> None:
    """Train every combination of some settings for a few epochs, and rank them by validation accuracy.

    Args:
        model: name of the network.
        grid: settings of ferscope train and their values, as learning_rate=1e-3,3e-3 ema=none,0.998, several separated
            by spaces; an architecture option as overrides.dropout=0,0.2.
        recipe: recipe from which the other settings come; by default the network's usual one.
        one_at_a_time: train the recipe as it is, and with each value of the grid alone, not every combination.
        epochs: epochs of each training run.
        split: split whose validation set ranks the settings.
        seed: random seed of each training run.
        data: the imported set (`ferscope data import`).
        out: folder of all runs; by default checkpoints/runs/search-<model>-<recipe>.
        budget: time for this call, as 25m, 1.5h or 90s; called again, it continues.
        threads: CPU threads; by default as many as torch takes.
        device: cpu, cuda, mps, or auto for what is there.
    """
    recipe = recipe or get_spec(model).recipe
    base = from_recipe(
        recipe, model=model, epochs=epochs, split=split, seed=seed, data=data, threads=threads, device=device
    )
    folder = out or RUNS / f"search-{model}-{recipe}"
    tries = (alone if one_at_a_time else combinations)(read_grid(grid))
    configs = [configure(base, settings, folder) for settings in tries]  # errors are raised before any run
    found = search(list(zip(configs, tries, strict=True)), time.monotonic() + 60 * minutes(budget))
    if found:
        _report(found, f"{model}, {recipe}, {epochs} epochs, seed {seed}", folder, Console())


def main(argv: list[str] | None = None) -> None:
    """Run `ferscope search ...`; ends with status 1 and one sentence where it cannot, 130 after Ctrl-C."""
    try:
        tyro.cli(run, prog="ferscope search", args=argv)
    except Interrupted:
        print("Stopped. The same call continues after the last complete epoch.")
        sys.exit(130)
    except ValidationError as error:
        sys.exit("\n".join(f"{'.'.join(map(str, e['loc']))}={e['input']}: {e['msg']}." for e in error.errors()))
    except (TrainingError, DiskFullError, ValueError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
