"""Look closer: one map beside those of other classes, methods and layers, and beside the network's own attention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st
import torch.nn.functional as F
from streamlit.delta_generator import DeltaGenerator
from torch import Tensor

from models.text import counted
from workbench.analysis.cam import METHODS
from workbench.analysis.methods import EXPLAINERS
from workbench.faces import Face
from workbench.services.explain import Explanation, map_by_layer, map_by_method, seconds_by_method
from workbench.services.explain import layers as layers_of

from . import charts, page_content, slow_requests, state, uncertainty, views

ONE_PASS = {EXPLAINERS[name].title: name for name in METHODS}
"""Title → name of the methods whose maps are there at once."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """What the page shows a map of.

    Attributes:
        face, network: what was asked.
        explanation: the answer.
        class_: whose map.
        method: one of `METHODS`.
        opacity: of the strongest colour, 0..1.
        shared: whether maps of one method have one scale.
    """

    face: Face
    network: str
    explanation: Explanation
    class_: str
    method: str
    opacity: float
    shared: bool

    @property
    def title(self) -> str:
        """Of the method."""
        return EXPLAINERS[self.method].title


@page_content.fragment
def look(chosen: Chosen) -> None:
    """One of the sections, as the visitor chooses."""
    st.subheader("Look closer")
    section = views.one_of("What to look at", SECTIONS, default="How sure", key="look", label_visibility="collapsed")
    SECTIONS[section](chosen)


def _sure(chosen: Chosen) -> None:
    uncertainty.sure(chosen.face, chosen.network, chosen.explanation.prediction)


def _trust(chosen: Chosen) -> None:
    uncertainty.trust(chosen.face, chosen.network, chosen.class_, chosen.method, chosen.title)


def _classes(chosen: Chosen) -> None:
    prediction, maps = chosen.explanation.prediction, chosen.explanation.maps(chosen.method)
    titled = {
        f"{name} {charts.percent(float(share))}": heat
        for name, share, heat in zip(prediction.classes, prediction.probabilities, maps, strict=True)
    }
    top = float(maps.max()) if chosen.shared else None
    _show(chosen, titled, top, "Maps of every class")
    scale = (
        "All on one scale, so a faint map is weak evidence"
        if chosen.shared
        else "Each on a scale of its own, which makes weak evidence look strong"
    )
    views.says(
        f"**{chosen.title} of every class,** each with the probability of the class. {scale}. Maps of different "
        "classes often highlight the same places: where, and not what, is all that they show."
    )


def _methods(chosen: Chosen) -> None:
    explanation = chosen.explanation
    maps = {name: explanation.map_of(chosen.class_, name) for name in ONE_PASS.values()} | _more_methods(chosen)
    _show(chosen, {_with_strength(EXPLAINERS[name].title, heat): heat for name, heat in maps.items()}, None, "Methods")
    signs = " Red speaks for the class, blue against it." if any(float(one.min()) < 0 for one in maps.values()) else ""
    views.says(
        f"**{len(maps)} methods for {chosen.class_},** each in a unit of its own and therefore on a scale of its own; "
        f"the number is its strongest value.{signs} What they share is likelier to be the network's doing, and what "
        "only one shows that method's; agreement is no proof, because most of them read the same layer."
    )
    with st.expander("What each method does, and what it does not prove"):
        for name in maps:
            method = EXPLAINERS[name]
            st.markdown(f"**{method.title}** ({method.paper}). {method.idea} *Not proved:* {method.unproven}")


def _more_methods(chosen: Chosen) -> dict[str, Tensor]:
    """Maps of further methods: named with their seconds, drawn when the visitor says so, and then kept."""
    titles = {method.title: name for name, method in EXPLAINERS.items() if name not in ONE_PASS.values()}
    wanted = [titles[title] for title in st.multiselect("More methods", titles, key="methods", bind="query-params")]
    key = (chosen.face.key, chosen.network)
    drawn: dict[str, Tensor] = state.kept(("methods", *key, chosen.class_), dict)
    seconds: dict[str, float] = state.kept(("seconds", *key), dict)
    missing = [name for name in wanted if name not in drawn]
    with st.spinner("Looking how fast the network is"):
        for name in [name for name in missing if name not in seconds]:
            seconds[name] = seconds_by_method(chosen.face, chosen.network, name)
    if missing:
        total = sum(seconds[name] for name in missing)
        each = ", ".join(f"{EXPLAINERS[name].title} {_seconds(seconds[name])}" for name in missing)
        place = st.empty()  # for the button, then for the progress
        if place.button(
            f"Draw {counted(len(missing), 'map')} (about {_seconds(total)})",
            type="primary",
            key="draw",
            help=f"{each}.",
        ):
            _draw(chosen, missing, drawn, place)
    return {name: drawn[name] for name in wanted if name in drawn}


def _draw(chosen: Chosen, names: list[str], drawn: dict[str, Tensor], place: DeltaGenerator) -> None:
    bar = place.progress(0.0)
    for i, name in enumerate(names):

        def tell(done: int, total: int, i: int = i, name: str = name) -> None:
            bar.progress(min(1.0, (i + done / total) / len(names)), EXPLAINERS[name].title)

        try:
            drawn[name] = map_by_method(chosen.face, chosen.network, chosen.class_, name, tell)
        except ValueError as error:  # a method that can do nothing with this layer: the message says what to do
            st.warning(f"{EXPLAINERS[name].title}: {error}")
    place.empty()


def _layers(chosen: Chosen) -> None:
    layers, own = layers_of(chosen.network), chosen.explanation.layer
    key = (chosen.face.key, chosen.network, chosen.class_, chosen.method)
    if not slow_requests.ready(chosen.network, 3 * len(layers), "Read every layer", "-".join(("layers", *key))):
        return
    with st.spinner(f"Reading {len(layers)} layers"):
        maps = state.kept(("layers", *key), lambda: _by_layer(chosen, [layer.name for layer in layers]))
    titled = {
        f"{'<b>' if layer.name == own else ''}{layer.name}{'</b>' if layer.name == own else ''}<br>"
        f"{layer.extent[0]} × {layer.extent[1]}, up to {float(maps[layer.name].max()):.2g}": maps[layer.name]
        for layer in layers
    }
    _show(chosen, titled, None, "Maps of one class by layer")
    views.says(
        f"**{chosen.title} for {chosen.class_} at the end of each stage,** from the picture's side to the answer's; "
        f"the map above reads `{own}`. Early layers give fine maps of edges, late ones coarse maps of parts. Each has "
        "a unit, and so a scale, of its own; a finer map is not a truer one."
    )


def _by_layer(chosen: Chosen, layers: list[str]) -> dict[str, Tensor]:
    return {name: map_by_layer(chosen.face, chosen.network, chosen.class_, name, chosen.method) for name in layers}


def _own_maps(chosen: Chosen) -> None:
    explanation = chosen.explanation
    found = [one for one in explanation.attention if one.spatial]
    if not found:
        st.info(
            "This network has no attention that weighs places, so it makes no maps of its own. Choose one that does in "
            "the sidebar, for example ResNet-18 with BAM."
        )
        return
    side = explanation.pixels.shape
    titled = {
        f"{one.layer}<br>{one.title}": F.interpolate(one.values[:1, None].float(), side, mode="nearest")[0, 0]
        for one in found
    }
    weights = all(one.limits == (0.0, 1.0) and not one.unit for one in found)
    _show(chosen, titled, 1.0 if weights else None, "The network's own maps", unit="weight")
    views.says(
        f"**What {counted(len(found), 'map')} of attention computed on this face,** "
        f"{'weights from 0 to 1 on one scale' if weights else 'each on a scale of its own'}. **Attention is not "
        "explanation** (Jain and Wallace 2019): a place that passes need not be one that the answer needs."
    )
    for title, one in {one.title: one for one in found}.items():
        st.markdown(f"*{title.capitalize()}* ({one.source}):")
        st.latex(one.equation)
    st.page_link("../pages/attention.py", label="Every step of attention, and the answer without it: page Attention")


def _show(chosen: Chosen, titled: dict[str, Tensor], top: float | None, alt: str, unit: str = "logit") -> None:
    figure = charts.many_maps(chosen.explanation.pixels, titled, top, chosen.opacity, unit=unit)
    charts.show(figure, "closer", alt)


def _with_strength(title: str, heat: Tensor) -> str:
    most = float(heat.abs().max())
    number = f"{most:.2g}" if most < 10 else f"{most:.0f}"
    return f"{title}<br>up to {number}" if most > 0 else f"{title}<br>blank"


def _seconds(seconds: float) -> str:
    return "under 1 s" if seconds < 1 else f"{seconds:.0f} s"


SECTIONS: dict[str, Callable[[Chosen], None]] = {
    "How sure": _sure,
    "Classes": _classes,
    "Methods": _methods,
    "Layers": _layers,
    "Trust": _trust,
    "Own maps": _own_maps,
}
"""Name of a section → what shows it."""
