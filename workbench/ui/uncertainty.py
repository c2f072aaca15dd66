"""How sure is the network of its answer, and how far can one map be trusted?"""

from __future__ import annotations

import math

import streamlit as st
import torch

from workbench import services
from workbench.faces import Face
from workbench.services.explain import TRUST_PICTURES
from workbench.services.prediction import Prediction, Uncertainty
from workbench.services.robustness import pace

from . import charts, slow_requests, state, views


def sure(face: Face, network: str, prediction: Prediction) -> None:
    """The calibrated answer with its spread: over views of the face, and over passes with dropout."""
    count = services.prediction.uncertainty_count(network)
    if not slow_requests.ready(network, count, "Ask again and again", f"sure-{face.key}-{network}"):
        return
    with st.spinner(f"Asking {count} times"):
        found = state.kept(("sure", face.key, network), lambda: services.prediction.uncertainty(face, network))
    left, right = st.columns(2)
    with left:
        _views(found, prediction)
    with right:
        _passes(found, prediction)


def _views(found: Uncertainty, prediction: Prediction) -> None:
    names, shares = [view.title for view in found.views.views], found.by_view
    charts.show(
        charts.spread(found.classes, shares, names, "probability, by view of the face", prediction.probabilities),
        "views",
        "Probabilities for ten views of the face",
    )
    answer, (agreeing, count) = found.classes.index(prediction.answer), found.agreeing
    low, high = (charts.percent(float(end)) for end in shares[:, answer].aminmax())
    views.says(
        f"**{prediction.answer.capitalize()} is the answer to {agreeing} of {count} views,** with {low} to {high}: "
        "the face as it is (diamond), mirrored, turned by 7°, moved by 1/24 of its side, 7 % smaller and larger. "
        "It shows how far the answer hangs on the frame, not whether it is right."
    )


def _passes(found: Uncertainty, prediction: Prediction) -> None:
    if found.dropout is None:
        st.info("This network has no dropout to leave on, so asking it again gives the same answer each time.")
        return
    draws = found.by_pass
    names = [f"pass {i + 1}" for i in range(len(draws))]
    charts.show(
        charts.spread(found.classes, draws, names, "probability, by pass with dropout", prediction.probabilities),
        "passes",
        "Probabilities of passes with dropout",
    )
    answer, once = found.classes.index(prediction.answer), found.dropout
    most = math.log(len(found.classes))
    entropy, weights = float(once.entropy[0]), float(once.mutual_information[0])
    views.says(
        f"**{len(draws)} passes with dropout on** (Gal and Ghahramani 2016) give {prediction.answer} "
        f"{charts.percent(float(draws[:, answer].mean()))} on average. If it guessed evenly "
        f"between {len(found.classes)} classes, its uncertainty (entropy) would be 100 %; it is "
        f"{charts.percent(entropy / most)}: {charts.percent(weights / most)} because passes contradict each other, the "
        "rest is there in every pass. A network can be steadily wrong."
    )


# ---- trust


_COLOURS = {"trusted": "green", "weak": "orange", "not trusted": "red"}
_NAMES = {"trusted": "Trusted", "weak": "Weak", "not trusted": "Not trusted"}


def trust(face: Face, network: str, class_: str, method: str, title: str) -> None:
    """The badge of one map by stated rules, measured when the visitor asks for it, with curves beside random maps."""
    key = ("trust", face.key, network, class_, method)
    if key not in st.session_state.get("answers", {}):
        seconds = TRUST_PICTURES * pace(network)
        st.markdown(
            f"Is the map for **{class_}** ({title}) better than maps drawn at random, and does it depend on what was "
            f"learned? Places are taken away and put back, the weights made random: about {TRUST_PICTURES} "
            "questions to the network."
        )
        place = st.empty()  # for the button, then for the progress
        if not place.button(f"Measure it (about {max(1, round(seconds))} s)", type="primary", key="measure"):
            return
        bar = place.progress(0.0, "Taking places away, putting them back")
        state.kept(
            key, lambda: services.trust(face, network, class_, method, lambda done, total: bar.progress(done / total))
        )
        place.empty()
    found = state.kept(key, lambda: services.trust(face, network, class_, method))
    reasons = "\n".join(
        f"- {'Passed' if passed else 'Failed'}: {reason}"
        for passed, reason in zip(found.badge.passed, found.badge.reasons, strict=True)
    )
    level = found.badge.level
    views.says(
        f":{_COLOURS[level]}-background[**{_NAMES[level]}:**] the map for {class_} ({title}) passes "
        f"{sum(found.badge.passed)} of {len(found.badge.passed)} tests.\n{reasons}"
    )
    if found.measures is not None:
        _curves(found.measures.deletion, found.measures.insertion)
    views.says(
        "A trusted map shows places that this network needs for this answer. It does not say that the answer is right, "
        "or why those places matter."
    )


def _curves(deletion: dict, insertion: dict) -> None:
    """Both curves, each the mean over what takes the place of pixels, as the badge judges them."""
    means = [torch.stack([one.probability for one in curves.values()]).mean(0) for curves in (deletion, insertion)]
    highest = min(1.02, 1.1 * max(float(values.max()) for values in means))
    fraction, randoms = next(iter(deletion.values())).fraction, len(means[0]) - 2
    texts = {
        "deletion": (
            "share of the face taken away",
            "the map's highest places go first. Lower is better: blue under gray means that the class needs them more "
            f"than {randoms} random choices. A face with holes is nothing that the network has learned.",
        ),
        "insertion": (
            "share of the face put back",
            "the map's highest places come first. Higher is better: blue over gray means that they suffice sooner. The "
            "hill is what a map gets that knows only that faces are centred.",
        ),
    }
    for column, (name, (x_title, text)), values in zip(st.columns(2), texts.items(), means, strict=True):
        with column:
            charts.show(charts.beside_random(fraction, values, x_title, highest), name, f"{name} beside random maps")
            views.says(f"**{name.capitalize()}:** {text}")
