"""Attention: the weights of each attention module, and ablations."""

from functools import partial

import streamlit as st

from workbench import services
from workbench.ui import ablation, attention, caveats, page_content, rollout, state, views
from workbench.ui import gates as gate_views
from workbench.ui.how_computed.attention import HOW, MAPS, STATISTICS

views.title("Attention", "What does attention weight, and does the prediction depend on it?")
face, network = state.face_or_stop(), state.network()
if not services.networks.get_spec(network).attention_layers and rollout.section(face, network):
    caveats.show(network)
    state.stop()
network = attention.network_to_show(network)
try:
    with st.spinner("Computing attention"):
        found = state.cached(
            ("attention", face.key, network), lambda: services.attention.attention_modules(face, network)
        )
except ValueError as error:  # a damaged checkpoint: the message says what to do
    st.error(str(error))
    state.stop()
caveats.show(network)
gates = gate_views.measured(network)


@page_content.fragment
def maps() -> None:
    left, right = st.columns([5, 1], vertical_alignment="bottom")
    with left:
        module = attention.choose_module(found)
    with right.popover("Map settings"):
        whole = st.toggle("Color scale from 0 to 1", value=False, key="whole", bind="query-params")
        by_number = st.toggle("Sort channels by number", value=False, key="numbered", bind="query-params")
    weights, rest = st.columns([1, 2])
    with weights:
        attention.gate(found, module, whole, gates)
    with rest:
        attention.steps(module, by_number)
    attention.all_modules(found.modules, whole)
    rollout.section(face, network)


def without_modules() -> None:
    ablation.switches(face, network, found.modules)
    ablation.class_branches(face, network)


dependence = partial(gate_views.section, network, gates, attention.labels(found.modules))
if found.modules:
    equations = attention.equations(one for module in found.modules for one in module.maps)
    views.tabs(
        {
            "Maps": maps,
            "Input dependence": dependence,
            "Ablation": without_modules,
            "Versus Grad-CAM": partial(attention.cam_correlation, face, network, found.modules),
        },
        {"by": "Ablation", **{f"module{i}": "Ablation" for i in range(1, 1 + len(found.modules))}},
        HOW | {"Maps": (equations, *MAPS)},
    )
else:  # attention inside of blocks
    dependence()
    views.how_computed(*STATISTICS)
