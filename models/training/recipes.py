"""Recipes: named sets of values for `TrainConfig`."""

from __future__ import annotations

from typing import Any

from .config import TrainConfig

RECIPES: dict[str, dict[str, Any]] = {
    # For processors: two thirds of the epochs run on smaller pictures, which take half the time.
    "quick": {
        "epochs": 26,
        "batch_size": 128,
        "growing_sizes": (32, 40),
        "learning_rate": 0.1,
        "schedule": "one-cycle",
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "label_smoothing": 0.1,
        "augmentation": "quick",
    },
}
# For comparing networks with each other, each trained alike: a third of the epochs.
RECIPES["short"] = RECIPES["quick"] | {"epochs": 9, "learning_rate": 0.05}
# A second, lower cycle at full size for a network that `quick` has trained: --recipe polish --start-from FOLDER
RECIPES["polish"] = RECIPES["quick"] | {"epochs": 5, "growing_sizes": (), "learning_rate": 0.02}


def from_recipe(recipe: str, **values: Any) -> TrainConfig:
    """A configuration with a recipe's values, some replaced by others; an unknown name raises ValueError."""
    if recipe not in RECIPES:
        raise ValueError(f'recipe="{recipe}" is not known; there are: {", ".join(RECIPES)}')
    return TrainConfig(**{**RECIPES[recipe], "recipe": recipe, **values})
