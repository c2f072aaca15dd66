"""From a face and the name of a network to frozen results, for pages, the demo, commands and notebooks.

A module for each subject: `services.frequency.amplitude(...)`. Nothing here draws, and nothing here knows of Streamlit.
"""

from . import (
    attention,
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
    prediction,
    svd,
    training,
)
from .compare import compare
from .explain import explain, trust
from .prediction import predict
from .robustness import robustness
