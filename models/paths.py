"""Where files are: those that ship with FERScope, and those that a user makes.

From a checkout both are in its folders. An installed FERScope has what ships in the package folder `ferscope`, laid out
like the checkout, and keeps what a user makes (datasets, runs, own checkpoints) in the user's data folder, such as
`~/.local/share/ferscope`. The environment variable FERSCOPE_HOME names another folder for it.
"""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_data_path

CODE = Path(__file__).resolve().parents[1]
"""The folder from which `models` and `workbench` are imported: the checkout, or `site-packages`."""

_PACKAGED = CODE / "ferscope"  # made by the build, see [tool.hatch.build.targets.wheel.sources] in pyproject.toml

SHIPPED = _PACKAGED if (_PACKAGED / "pages").is_dir() else CODE
"""What ships, to be read only: `pages/`, `checkpoints/`, `benchmarks/results/`, `.streamlit/`."""

_OWN = user_data_path("ferscope", appauthor=False) if SHIPPED == _PACKAGED else CODE

HOME = Path(os.path.expanduser(os.environ.get("FERSCOPE_HOME") or _OWN)).absolute()
"""What a user makes: `data/`, `checkpoints/`."""

DATA = HOME / "data"
"""Imported datasets, an .npz file each."""

FER2013 = DATA / "fer2013.npz"
"""The dataset that commands use where none is named."""

RUNS = HOME / "checkpoints" / "runs"
"""Training runs, a folder each."""
