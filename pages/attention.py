"""Attention: what did the network let through?"""

import streamlit as st

from workbench import services
from workbench.ui import attention_views, gate_views, model_picker, screen, state, views

views.title(
    "What did the network let through?",
    "Attention modules weigh channels and places inside a network: their weights, and the answer without them.",
)
face, network = state.face_or_stop(), state.network()
if not services.get_spec(network).attention_layers:
    attention_views.without_modules(network)
    state.stop()
try:
    with st.spinner("Asking the network"):
        found = state.kept(("inside", face.key, network), lambda: services.inside(face, network))
except ValueError as error:  # a damaged checkpoint: the message says what to do
    st.error(str(error))
    state.stop()
if not found.prediction.trained:
    model_picker.random_weights_banner(network)
gates = gate_views.measured(network)


@screen.fragment
def one_module() -> None:
    left, right = st.columns([5, 1], vertical_alignment="bottom")
    with left:
        module = attention_views.choose_module(found)
    with right.popover("Map settings"):
        whole = st.toggle("Colours from 0 to 1", value=True, key="whole", bind="query-params")
        by_number = st.toggle("Channels by number", value=False, key="numbered", bind="query-params")
    weights, rest = st.columns([1, 2])
    with weights:
        attention_views.gate(found, module, whole, gates)
    with rest:
        attention_views.steps(module, by_number)


one_module()
attention_views.all_modules(found.modules)
gate_views.section(network, gates, attention_views.labels(found.modules))
attention_views.switches(face, network, found.modules)
attention_views.worth(face, network, found.modules)
attention_views.beside_cams(face, network, found.modules)
attention_views.class_branches(face, network)
with views.computed(
    "workbench.analysis.attention:attention_of",
    "workbench.analysis.attention:gate_statistics",
    "workbench.analysis.attention:replaced",
    "workbench.analysis.attention:switch_off",
    "workbench.analysis.attention:correlation_with_cams",
):
    attention_views.equations(found.modules)
