"""`ferscope train`, or `python -m models.train`: train one network.

- python -m models.train --model residual_cnn --recipe quick
- python -m models.train --model residual_cnn --recipe quick --resume
- python -m models.train --out FOLDER --resume                          (with the original settings)
- python -m models.train --config run.json
- python -m models.train --data data/ckplus.npz --split subject-10fold  (a cross-validation: one run for each fold)
- torchrun --nproc-per-node 2 -m models.train --model residual_cnn      (several processes, one batch)
- fabric run --devices 2 models/train.py --model residual_cnn           (the same, by Lightning's own command)
"""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from pydantic import ValidationError

from models.datasets.usual_split import usual_split
from models.files import DiskFullError
from models.registry import check_overrides, get_spec
from models.training.config import TrainConfig
from models.training.events import first_process
from models.training.recipes import RECIPES, from_recipe


@dataclass(frozen=True)
class _Saved:
    """Where the configuration is read from."""

    config: Path | None = None


@dataclass(frozen=True)
class _Given:
    """The options that decide which defaults the others have."""

    recipe: str | None = None
    model: str | None = None
    data: Path | None = None
    split: str | None = None
    start_from: Path | None = None
    trained_stages: str = ""
    out: Path | None = None
    resume: bool = False


def parse(argv: list[str]) -> TrainConfig:
    """The configuration of a command line: a saved one, that of a run to resume, or a recipe, with changes.

    Raises:
        ValueError: there is no run to resume, or a value is out of its range (pydantic's ValidationError).
        SystemExit: an argument that is not known, after saying so.
    """
    saved, rest = tyro.cli(_Saved, args=argv, add_help=False, return_unknown_args=True)
    known, _ = tyro.cli(_Given, args=rest, add_help=False, return_unknown_args=True)
    begun = known.out / "config.json" if known.resume and known.out else None
    if saved.config:
        default = TrainConfig.model_validate_json(saved.config.read_text(encoding="utf-8"))
    elif begun and begun.is_file():
        default = TrainConfig.model_validate_json(begun.read_text(encoding="utf-8"))
        default = default.model_copy(update={"minutes": None, "evaluate": False})  # of that call, not of the run
    elif begun and known.out and not (known.out.exists() or known.model or known.recipe):
        raise ValueError(f"There is no run in {known.out}: give the folder of one by --out, or leave out --resume.")
    else:
        given = {name: value for name in ("model", "data", "start_from") if (value := getattr(known, name))}
        if known.trained_stages:
            given["trained_stages"] = None  # in place of phases; what it is will be read below
        default = from_recipe(known.recipe or _own_recipe(known.model), **given)
        if known.split is None and known.data is not None and default.split == "official":
            split, why = usual_split(known.data)
            default = default.model_copy(update={"split": split})
            if why:
                logging.getLogger("models").info(why)
    recipes = f"Recipes: {', '.join(RECIPES)}. Without --recipe a network's usual one, see --model NAME --help."
    text = f"{__doc__}\n{recipes} `ferscope models` lists the networks.{_options(default.model) if known.model else ''}"
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.cli(TrainConfig, prog="ferscope train", description=text, args=rest, default=default)
    except SystemExit as end:
        if isinstance(end.__context__, ValidationError):
            raise end.__context__ from None
        sys.stderr.write(said.getvalue())
        raise


def _own_recipe(model: str | None) -> str:
    """The usual recipe of a network, for where the caller names none."""
    if model is None:
        return "quick"
    return get_spec(model).recipe


def _options(model: str) -> str:
    """The options of a network, each on a line of its own."""
    lines = [f"\n- {option}" for option in get_spec(model).options]
    return f"\n\nOptions of {model}, by --overrides NAME VALUE:" + "".join(lines) if lines else ""


def main(argv: list[str] | None = None) -> None:
    """Run `ferscope train ...`; ends with status 1 and one sentence where it cannot, 130 after Ctrl-C."""
    # Imported late, so that --help and errors in the arguments are fast.
    from models.datasets.subjects import is_cross_validation
    from models.training import resume
    from models.training.errors import Interrupted, TrainingError

    logging.basicConfig(format="%(message)s")
    logging.getLogger("models").setLevel(logging.INFO if first_process() else logging.WARNING)  # e.g. whose weights
    try:
        config = parse(sys.argv[1:] if argv is None else argv)
        check_overrides(config.model, config.overrides)
        if is_cross_validation(config.split):
            _all_folds(config)
        else:
            _one_run(config)
    except Interrupted:
        begun = is_cross_validation(config.split) or (config.folder / resume.FILE).is_file()
        kept = "continues after the last complete epoch" if begun else "begins again: no epoch was finished"
        _tell(f"Stopped. What was reached is in {config.folder}; ferscope train --out {config.folder} --resume {kept}.")
        sys.exit(130)
    except ValidationError as error:
        sys.exit("\n".join(map(_sentence, error.errors())))
    except (TrainingError, DiskFullError, ValueError, OSError) as error:
        sys.exit(str(error))


def _one_run(config: TrainConfig) -> None:
    """Train, and say what was reached."""
    from models.evaluate import evaluate_run
    from models.training import resume
    from models.training.engine import train
    from models.training.lock import locked

    begun = config.folder / resume.FILE
    if config.resume and not begun.is_file():
        _tell(f"No complete epoch is in {config.folder}: training starts from the beginning.")
    folder = train(config)
    if begun.is_file():
        best = resume.load_facts(folder)["best"]
        accuracy = f"{best['validation_accuracy']:.1%}"
        _tell(f"The best epoch is {best['epoch']:.0f}, {accuracy} of the validation set. It is in {folder}.")
    if config.evaluate:
        with locked(folder):
            evaluate_run(config)
    elif begun.is_file():
        set_ = "" if config.data == TrainConfig().data else f" --data {config.data}"
        _tell(f"Measure it: ferscope evaluate {folder.resolve()}{set_}")


def _all_folds(config: TrainConfig) -> None:
    """Train and measure every fold of a cross-validation, and print what they say together."""
    from rich.console import Console

    from models.cross_validation import SUMMARY, cross_validate, report

    if found := cross_validate(config, _tell):
        report(found, Console(width=None if sys.stdout.isatty() else 200))
        _tell(f"Written to {config.folder / SUMMARY}")
    else:
        _tell(f"ferscope train --out {config.folder} --resume continues.")


def _tell(text: str) -> None:
    """Print a line, in the first of several processes only."""
    if first_process():
        print(text)


def _sentence(error: Any) -> str:
    """A validation error of pydantic as a command-line message."""
    option = ".".join(map(str, error["loc"])).replace("_", "-")
    return f"--{option} {error['input']}: {error['msg']}." if option else error["msg"]


if __name__ == "__main__":
    main()
