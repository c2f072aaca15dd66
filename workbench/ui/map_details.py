"""Details: one map beside those of other classes, methods and layers, and beside the network's attention maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import streamlit as st
import torch.nn.functional as F
from streamlit.delta_generator import DeltaGenerator
from torch import Tensor

from models.text import counted
from workbench import navigation
from workbench.analysis.cam import METHODS
from workbench.analysis.methods import EXPLAINERS, GROUPS
from workbench.faces import Face
from workbench.services.attention import default_network_with_attention
from workbench.services.explain import (
    PASSES_OF_A_MAP,
    Explanation,
    layer_tree,
    map_by_layer,
    map_by_method,
    seconds_by_method,
)
from workbench.services.explain import layers as layers_of
from workbench.services.networks import get_spec

from . import attention, charts, slow_requests, state, training_faces, uncertainty, views

EM_SPACE = "\N{EM SPACE}"
_SAME = 1e-6  # cosine distance of two maps that count as the same
ONE_PASS = {EXPLAINERS[name].title: name for name in METHODS}
"""Title → name of the methods that need no further forward pass."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """The map that the page shows.

    Attributes:
        face, network: input of the explanation.
        explanation: prediction and maps.
        class_: target class of the map.
        method: one of `METHODS`.
        opacity: opacity of the strongest color, 0..1.
        shared: whether maps of one method share one scale.
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
        """Title of the method."""
        return EXPLAINERS[self.method].title


def tabs(chosen: Chosen, how: Mapping[str, tuple[str, ...]]) -> None:
    """Draw the section that the visitor chooses; `how`: as for `views.tabs`."""
    views.tabs({title: partial(draw, chosen) for title, draw in SECTIONS.items()}, {"layer": "Layers"}, how)


def _uncertainty(chosen: Chosen) -> None:
    uncertainty.show(chosen.face, chosen.network, chosen.explanation.prediction)


def _faithfulness(chosen: Chosen) -> None:
    uncertainty.trust(chosen.face, chosen.network, chosen.class_, chosen.method, chosen.title)


def _classes(chosen: Chosen) -> None:
    prediction, maps = chosen.explanation.prediction, chosen.explanation.maps(chosen.method)
    probabilities = dict(zip(prediction.classes, prediction.probabilities, strict=True))
    shares = {name: probabilities[name] for name in chosen.explanation.mapped}
    titled = {
        f"{name} {charts.percent(float(share))}": heat for (name, share), heat in zip(shares.items(), maps, strict=True)
    }
    top = float(maps.max()) if chosen.shared else None
    _show(chosen, titled, top, f"{chosen.title} for every class: {', '.join(titled)}")
    scale = (
        "All share one scale, so a faint map is weak evidence"
        if chosen.shared
        else "Each has its own scale, which makes weak evidence look strong"
    )
    views.caption(
        f"**{chosen.title} for every class,** with the probability of the class. {scale}. Maps of different classes "
        "often highlight the same regions: they show where, not which feature."
    )


def _methods(chosen: Chosen) -> None:
    explanation = chosen.explanation
    maps = {name: explanation.map_of(chosen.class_, name) for name in ONE_PASS.values()} | _more_methods(chosen)
    same = _same_maps(maps)
    order = [name for name in maps if name not in same[1:]] + same[1:]  # methods that can differ first
    titled = {_with_strength(EXPLAINERS[name].title, maps[name]): maps[name] for name in order}
    titles = ", ".join(EXPLAINERS[name].title for name in order)
    _show(chosen, titled, None, f"Maps for {chosen.class_} by {counted(len(order), 'method')}: {titles}")
    negative = any(float(one.min()) < 0 for one in maps.values())
    signs = " Red: evidence for the class; blue: against it." if negative else ""
    views.caption(
        f"**{len(maps)} methods for {chosen.class_},** each with its own unit and scale; the number is the largest "
        f"value.{signs} Agreement of methods is not a proof, since most of them use the same layer."
    )
    if same:
        titles = ", ".join(EXPLAINERS[name].title for name in same)
        views.caption(
            f"**{titles} give the same map here,** as they must where only average pooling and a linear layer follow "
            "the layer: that they agree is no evidence."
        )
    with st.expander("What each method does, and what it does not prove"):
        for name in maps:
            method = EXPLAINERS[name]
            st.markdown(f"**{method.title}** ({method.paper}). {method.idea} *Limit:* {method.unproven}")


def _same_maps(maps: dict[str, Tensor]) -> list[str]:
    """Names of the methods whose map is that of Grad-CAM but for a factor; [] where no other one is."""
    first = maps["gradcam"].flatten()
    if float(first.max()) <= 0:
        return []
    same = [name for name, heat in maps.items() if float(F.cosine_similarity(first, heat.flatten(), dim=0)) > 1 - _SAME]
    return same if len(same) > 1 else []


def _more_methods(chosen: Chosen) -> dict[str, Tensor]:
    """Maps of further methods: a button states the time, and maps are computed after a click and cached."""
    wanted = _wanted()
    key = (chosen.face.key, chosen.network)
    drawn: dict[str, Tensor] = state.cached(("methods", *key, chosen.class_), dict)
    seconds: dict[str, float] = state.cached(("seconds", *key), dict)
    missing = [name for name in wanted if name not in drawn]
    with st.spinner("Measuring the speed of the network"):
        for name in [name for name in missing if name not in seconds]:
            seconds[name] = seconds_by_method(chosen.face, chosen.network, name)
    if missing:
        total = sum(seconds[name] for name in missing)
        each = ", ".join(f"{EXPLAINERS[name].title} {_seconds(seconds[name])}" for name in missing)
        container = st.empty()  # for the button, then for the progress
        if container.button(
            f"Compute {counted(len(missing), 'map')} (about {_seconds(total)})",
            type="primary",
            key="draw",
            help=f"{each}.",
        ):
            _draw(chosen, missing, drawn, container)
    return {name: drawn[name] for name in wanted if name in drawn}


def _wanted() -> list[str]:
    """Names of the further methods that the visitor chooses, from a list for each group."""
    wanted = []
    for column, (group, names) in zip(st.columns(len(GROUPS)), GROUPS.items(), strict=True):
        titles = {EXPLAINERS[name].title: name for name in names if name not in ONE_PASS.values()}
        costs = "; ".join(f"{title}: {EXPLAINERS[name].price}" for title, name in titles.items())
        key = f"methods-{group.lower().replace(' ', '-')}"
        chosen = column.multiselect(group, titles, key=key, bind="query-params", help=f"Forward passes. {costs}.")
        wanted += [titles[title] for title in chosen]
    return wanted


def _draw(chosen: Chosen, names: list[str], drawn: dict[str, Tensor], container: DeltaGenerator) -> None:
    bar = container.progress(0.0)
    for i, name in enumerate(names):

        def tell(done: int, total: int, i: int = i, name: str = name) -> None:
            bar.progress(min(1.0, (i + done / total) / len(names)), EXPLAINERS[name].title)

        try:
            drawn[name] = map_by_method(chosen.face, chosen.network, chosen.class_, name, tell)
        except ValueError as error:  # the method does not support this layer: the message says what to do
            st.warning(f"{EXPLAINERS[name].title}: {error}")
    container.empty()


def _layers(chosen: Chosen) -> None:
    _one_layer(chosen)
    layers, own = layers_of(chosen.network), chosen.explanation.layer
    key, count = (chosen.face.key, chosen.network, chosen.class_, chosen.method), PASSES_OF_A_MAP * len(layers)
    if not slow_requests.ready(chosen.network, count, "Compute all layers", "-".join(("layers", *key))):
        return
    with slow_requests.running(f"Computing {len(layers)} layers", count):
        maps = state.cached(("layers", *key), lambda: _by_layer(chosen, [layer.name for layer in layers]))
    titled = {
        f"{'<b>' if layer.name == own else ''}{layer.name}{'</b>' if layer.name == own else ''}<br>"
        f"{layer.extent[0]} × {layer.extent[1]}, up to {float(maps[layer.name].max()):.2g}": maps[layer.name]
        for layer in layers
    }
    names = ", ".join(layer.name for layer in layers)
    _show(chosen, titled, None, f"{chosen.title} for {chosen.class_} in {counted(len(layers), 'layer')}: {names}")
    views.caption(
        f"**{chosen.title} for {chosen.class_} at the end of each stage,** from input to output, each on its own "
        f"scale; the map above uses `{own}`. Early layers give fine maps of edges, late ones coarse maps of parts; "
        "finer does not mean more faithful."
    )


def _one_layer(chosen: Chosen) -> None:
    """Draw the map of a layer that the visitor chooses from the tree of the network."""
    tree = {layer.name: (depth, layer) for depth, layer in layer_tree(chosen.network)}
    if st.session_state.get("layer") not in tree:
        st.session_state["layer"] = chosen.explanation.layer  # it was chosen for another network

    def label(name: str) -> str:
        depth, layer = tree[name]
        shape = f"{layer.channels} × {layer.extent[0]} × {layer.extent[1]}"
        return f"{EM_SPACE * depth}{name.rpartition('.')[2]}: {layer.kind}, {shape}"

    left, right = st.columns([1, 2])
    help_ = "All modules whose output has feature maps, as a tree. Others, such as linear layers, have no map."
    name = right.selectbox("Layer", tree, format_func=label, key="layer", help=help_)
    try:
        heat = _by_layer(chosen, [name])[name]
    except ValueError as error:  # it does not lead to the logits
        right.warning(str(error))
        return
    with left:
        chart = charts.face_with_map(chosen.explanation.pixels, heat, float(heat.max()), chosen.opacity)
        chart.update_layout(height=210)
        charts.show(chart, "one-layer", f"{chosen.title} for {chosen.class_} in layer {name} over the face")
    with right:
        views.caption(
            f"**{_with_strength(chosen.title, heat).replace('<br>', ', ')}**, for {chosen.class_} in layer `{name}`. "
            "Earlier layers have finer maps, but features that are less specific to a class."
        )


def _by_layer(chosen: Chosen, layers: list[str]) -> dict[str, Tensor]:
    return {name: map_by_layer(chosen.face, chosen.network, chosen.class_, name, chosen.method) for name in layers}


def _attention_maps(chosen: Chosen) -> None:
    found = [one for one in chosen.explanation.attention if one.spatial]
    if not found:
        other = state.shown_instead(default_network_with_attention(), "spatial attention")
        chosen = replace(chosen, network=other, explanation=state.explanation(chosen.face, other))
        found = [one for one in chosen.explanation.attention if one.spatial]
    side = chosen.explanation.pixels.shape
    titled = {
        f"{one.layer}<br>{one.title}": F.interpolate(one.values[:1, None].float(), side, mode="nearest")[0, 0]
        for one in found
    }
    weights = all(one.limits == (0.0, 1.0) and not one.unit for one in found)
    _show(
        chosen,
        titled,
        1.0 if weights else None,
        f"Attention maps over the face, by layer: {', '.join(one.layer for one in found)}",
        unit="weight",
    )
    views.caption(
        f"**{counted(len(found), 'attention map')} for this face,** "
        f"{'weights from 0 to 1 on one scale' if weights else 'each on its own scale'}. **Attention is not "
        "explanation** by itself (Jain and Wallace 2019; Wiegreffe and Pinter 2019 disagree in part): the "
        "prediction need not depend on a region with a high weight."
    )
    st.markdown(attention.equations(found))
    st.page_link(navigation.FOLDER / "attention.py", label="Each step of attention, and its ablation: page Attention")


def _show(chosen: Chosen, titled: dict[str, Tensor], top: float | None, alt: str, unit: str = "logit") -> None:
    figure = charts.many_maps(chosen.explanation.pixels, titled, top, chosen.opacity, unit=unit)
    charts.show(figure, "closer", f"{alt} ({get_spec(chosen.network).title})")


def _with_strength(title: str, heat: Tensor) -> str:
    most = float(heat.abs().max())
    number = f"{most:.2g}" if most < 10 else f"{most:.0f}"
    return f"{title}<br>up to {number}" if most > 0 else f"{title}<br>blank"


def _seconds(seconds: float) -> str:
    return "under 1 s" if seconds < 1 else f"{seconds:.0f} s"


SECTIONS: dict[str, Callable[[Chosen], None]] = {
    "Uncertainty": _uncertainty,
    "Classes": _classes,
    "Methods": _methods,
    "Layers": _layers,
    "Faithfulness": _faithfulness,
    "Attention maps": _attention_maps,
    "Training faces": lambda chosen: training_faces.nearest(chosen.face, chosen.network),
}
"""Name of a section → function that draws it."""
