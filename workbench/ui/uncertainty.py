"""Uncertainty of a prediction, and faithfulness of a map."""

from __future__ import annotations

import math

import streamlit as st
import torch

from workbench import services
from workbench.faces import Face
from workbench.services.explain import TRUST_PASSES
from workbench.services.prediction import Prediction, Uncertainty
from workbench.services.robustness import pace

from . import charts, slow_requests, state, views


def show(face: Face, network: str, prediction: Prediction) -> None:
    """Draw the spread of the calibrated probabilities over views of the face and over passes with dropout."""
    count = services.prediction.uncertainty_count(network)
    if not slow_requests.ready(network, count, "Measure the uncertainty", f"uncertainty-{face.key}-{network}"):
        return
    with slow_requests.running(f"Computing {count} forward passes", count):
        found = state.cached(("uncertainty", face.key, network), lambda: services.prediction.uncertainty(face, network))
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
        f"Probability of each class for {len(names)} views of the face: {', '.join(names)}",
    )
    predicted, (agreeing, count) = found.classes.index(prediction.predicted), found.agreeing
    low, high = (charts.percent(float(end)) for end in shares[:, predicted].aminmax())
    views.caption(
        f"**{prediction.predicted.capitalize()} is predicted for {agreeing} of {count} views,** with {low} to {high} "
        "(diamond: unchanged; others: flipped, rotated by 7°, shifted by 1/24, scaled by 7 %). This is sensitivity to "
        "cropping, not accuracy."
    )


def _passes(found: Uncertainty, prediction: Prediction) -> None:
    if found.dropout is None:
        st.info("This network has no dropout, so repeated forward passes give the same prediction.")
        return
    draws = found.by_pass
    names = [f"pass {i + 1}" for i in range(len(draws))]
    charts.show(
        charts.spread(found.classes, draws, names, "probability, by pass with dropout", prediction.probabilities),
        "passes",
        f"Probability of each class in {len(names)} forward passes with dropout",
    )
    predicted, once = found.classes.index(prediction.predicted), found.dropout
    most = math.log(len(found.classes))
    entropy, weights = float(once.entropy[0]), float(once.mutual_information[0])
    views.caption(
        f"**MC dropout, {len(draws)} forward passes:** mean probability of {prediction.predicted} "
        f"{charts.percent(float(draws[:, predicted].mean()))}. Predictive entropy: {charts.percent(entropy / most)} of "
        f"the maximum (all classes equally likely). Of this entropy {charts.percent(weights / max(entropy, 1e-9))} is "
        "epistemic (the passes disagree), the rest aleatoric (within each pass). A wrong prediction can have "
        "low entropy."
    )


# ---- faithfulness


_COLORS = {"faithful": "green", "weak": "orange", "not faithful": "red"}
_NAMES = {"faithful": "Faithful", "weak": "Weak", "not faithful": "Not faithful"}


def trust(face: Face, network: str, class_: str, method: str, title: str) -> None:
    """Draw the badge of one map with its reasons and curves, measured after a click."""
    key = ("trust", face.key, network, class_, method)
    if key not in st.session_state.get("results", {}):
        seconds = TRUST_PASSES * pace(network)
        st.markdown(
            f"Deletion and insertion tests compare the map for **{class_}** ({title}) with random maps; a sanity check "
            f"randomizes the weights. About {TRUST_PASSES} forward passes."
        )
        container = st.empty()  # for the button, then for the progress
        if not container.button(f"Run the tests (about {max(1, round(seconds))} s)", type="primary", key="measure"):
            return
        bar = container.progress(0.0, "Deleting and inserting pixels")
        state.cached(
            key, lambda: services.trust(face, network, class_, method, lambda done, total: bar.progress(done / total))
        )
        container.empty()
    found = state.cached(key, lambda: services.trust(face, network, class_, method))
    reasons = "\n".join(
        f"- {'Passed' if passed else 'Failed'}: {reason}"
        for passed, reason in zip(found.badge.passed, found.badge.reasons, strict=True)
    )
    level = found.badge.level
    views.caption(
        f":{_COLORS[level]}-background[**{_NAMES[level]}:**] the map for {class_} ({title}) passes "
        f"{sum(found.badge.passed)} of {len(found.badge.passed)} tests.\n{reasons}"
    )
    if found.measures is not None:
        _curves(found.measures.deletion, found.measures.insertion)
    views.caption(
        "A faithful map agrees with what hiding and showing its regions does to this class, better than random maps "
        "do. A centered blob can come close (orange): faces are centered. It does not show that the prediction is "
        "right, or why those regions matter; *Robustness*, tab Occlusion, hides one region at a time."
    )


def _curves(deletion: dict, insertion: dict) -> None:
    """Draw the deletion and the insertion curve, each the mean over the baselines that replace pixels."""
    means = [torch.stack([one.probability for one in curves.values()]).mean(0) for curves in (deletion, insertion)]
    highest = min(1.02, 1.1 * max(float(values.max()) for values in means))
    fraction, randoms = next(iter(deletion.values())).fraction, len(means[0]) - 2
    texts = {
        "deletion": (
            "share of pixels deleted",
            "pixels with the highest values are deleted first. Lower is better: blue is this map, gray the "
            f"{randoms} random maps. Images with holes are unlike the training images.",
        ),
        "insertion": (
            "share of pixels inserted",
            "pixels with the highest values are inserted first. Higher is better: blue is this map, gray are random "
            "maps, orange is the Gaussian center baseline, which knows only that faces are centered.",
        ),
    }
    for column, (name, (x_title, text)), values in zip(st.columns(2), texts.items(), means, strict=True):
        with column:
            charts.show(
                charts.against_random(fraction, values, x_title, highest),
                name,
                f"{name.capitalize()} curve of the map, and those of random maps",
            )
            views.caption(f"**{name.capitalize()}:** {text}")
