"""From a face and the name of a network to frozen results, for pages, the demo, commands and notebooks.

A module for each subject: `services.frequency.amplitude(...)`, imported with the first use. Nothing here draws, and
nothing here knows of Streamlit.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from .compare import compare
from .explain import explain, trust
from .prediction import predict
from .robustness import robustness

if TYPE_CHECKING:
    from . import (
        adversarial,
        attention,
        batch,
        dataset,
        debug_challenge,
        framing,
        frequency,
        gates,
        lessons,
        map_quiz,
        metrics,
        networks,
        papers,
        svd,
        training,
        video,
        web_demo,
    )

_SUBJECTS = (
    "adversarial",
    "attention",
    "batch",
    "dataset",
    "debug_challenge",
    "framing",
    "frequency",
    "gates",
    "lessons",
    "map_quiz",
    "metrics",
    "networks",
    "papers",
    "svd",
    "training",
    "video",
    "web_demo",
)


def __getattr__(name: str) -> ModuleType:
    """The module of a subject."""
    if name not in _SUBJECTS:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return import_module(f".{name}", __name__)
