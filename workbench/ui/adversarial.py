"""The section "Smallest adversarial change" of the page Robustness."""

from __future__ import annotations

import streamlit as st

from workbench import services
from workbench.faces import Face
from workbench.services.adversarial import ATTACKS, MOST, Adversarial
from workbench.services.explain import Explanation

from . import charts, slow_requests, state, views

_TITLES: dict[str, str] = {"pgd": "PGD, seven steps", "fgsm": "FGSM, one step"}


def search(face: Face, network: str) -> None:
    """Draw the smallest change that the attack of the visitor's choice finds; a slow network needs a click first."""
    attack = _choose_attack()
    count = services.adversarial.passes(attack)
    if not slow_requests.ready(network, count, "Search for the smallest change", f"{attack}-{face.key}-{network}"):
        return
    with slow_requests.running("Searching for the smallest change", count):
        key = ("adversarial", face.key, network, attack)
        found = state.cached(key, lambda: services.adversarial.adversarial(face, network, attack))
    draw(found)
    views.caption(
        "An upper bound: another attack may need less, so a network that withstands this one is not shown to be "
        "robust. The attack is white-box; noise of the same strength, or a camera, is very unlikely to produce "
        "such a change."
    )


def _choose_attack() -> str:
    """Let the visitor choose the attack."""
    title = views.choose_one(
        "Attack", [_TITLES[attack] for attack in reversed(ATTACKS)], default=_TITLES["pgd"], key="attack"
    )
    return next(attack for attack, own in _TITLES.items() if own == title)


def draw(found: Adversarial) -> None:
    """Draw the image, the difference and the changed image, then both maps on one scale, with what they show."""
    views.caption(sentence(found))
    before, difference, after = st.columns(3)
    with before:
        charts.show(
            charts.face(found.before.pixels, _label(found.before)),
            "adversarial-before",
            f"The face, predicted {found.before.prediction.predicted}",
        )
    with difference:
        chart = charts.signed(found.difference, "gray levels of 255")
        charts.show(chart, "adversarial-difference", "The change of each pixel in gray levels")
    with after:
        charts.show(
            charts.face(found.after.pixels, _label(found.after)),
            "adversarial-after",
            f"The perturbed face, predicted {found.after.prediction.predicted}",
        )
    _maps(found)


def sentence(found: Adversarial) -> str:
    """What was found, in one sentence."""
    first, then = found.before.prediction.predicted, found.after.prediction.predicted
    if found.change.level is None:
        return f"**No change of up to {MOST:g} gray levels by this attack changes the prediction {first}.**"
    return f"**A change of at most {found.change.level:g} of 255 gray levels per pixel turns {first} into {then}.**"


def _label(one: Explanation) -> str:
    shares = one.prediction.probabilities
    return f"{one.prediction.predicted}, {charts.percent(float(shares.max()))}"


def _maps(found: Adversarial) -> None:
    both = {"before": found.before, "after": found.after}
    if found.before.atlas is None:
        views.caption("This network has no layer for class activation maps.")
        return
    maps = {key: one.map_of(one.class_) for key, one in both.items()}
    top = max(float(heat.max()) for heat in maps.values())
    for place, (key, one) in zip(st.columns(2), both.items(), strict=True):
        with place:
            chart = charts.face_with_map(one.pixels, maps[key], top, 0.7)
            charts.show(
                chart, f"adversarial-map-{key}", f"Grad-CAM for {one.class_} over the face {key} the perturbation"
            )
            views.caption(f"**{key.capitalize()}: map for {one.class_}** (Grad-CAM, one color scale).")
