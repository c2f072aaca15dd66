"""`ferscope train`, or `python -m models.train`: train one network.

python -m models.train --model residual_cnn --recipe quick
python -m models.train --model residual_cnn --recipe quick --resume
python -m models.train --config run.json
torchrun --nproc-per-node 2 -m models.train --model residual_cnn      (several processes, one batch)
fabric run --devices 2 models/train.py --model residual_cnn           (the same, by Lightning's own command)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import tyro
from pydantic import ValidationError

from models.files import DiskFullError
from models.training.config import TrainConfig
from models.training.recipes import from_recipe


def parse(argv: list[str]) -> TrainConfig:
    """The configuration that a command line asks for: a saved one, or a recipe with changes."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--config", type=Path)
    first.add_argument("--recipe", default="quick")
    first.add_argument("--model")
    known, rest = first.parse_known_args(argv)
    if known.config:
        default = TrainConfig.model_validate_json(known.config.read_text(encoding="utf-8"))
    else:
        default = from_recipe(known.recipe, **({"model": known.model} if known.model else {}))
    return tyro.cli(TrainConfig, prog="ferscope train", description=__doc__, args=rest, default=default)


def main(argv: list[str] | None = None) -> None:
    """Run `ferscope train ...`; ends with status 1 and one sentence where it cannot, 130 after Ctrl-C."""
    # Imported late, so that --help and mistakes in the arguments answer at once.
    from models.evaluate import evaluate_run
    from models.training.engine import train
    from models.training.start import TrainingError
    from models.training.stopping import Interrupted

    try:
        config = parse(sys.argv[1:] if argv is None else argv)
        folder = train(config)
        if config.evaluate:
            evaluate_run(config)
    except Interrupted:
        print(f"Stopped. What was reached is in {config.folder}; --resume continues from the last whole epoch.")
        sys.exit(130)
    except ValidationError as error:
        sys.exit("\n".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()))
    except (TrainingError, DiskFullError, ValueError, OSError) as error:
        sys.exit(str(error))
    if (folder / "card.json").is_file() and not config.evaluate:
        print(f"The best epoch is in {folder}. Measure it: python -m models.evaluate {folder}")


if __name__ == "__main__":
    main()
