"""Debug challenge: a network with a hidden fault, for the visitor to diagnose."""

import streamlit as st

from workbench import services
from workbench.ui import debug_challenge, debug_checks, model_picker, page_content, state, views
from workbench.ui.how_computed.debug_challenge import HOW

views.title("Debug challenge", "The network receives corrupted input or settings on purpose: what is wrong?")
face, network = state.face_or_stop(), state.network()
if not state.network_or_stop().trained:
    model_picker.random_weights_banner(network)
    st.info("With random weights no fault can be diagnosed. Choose a trained network.")
    st.button(
        f"Show {services.networks.get_spec(services.networks.DEFAULT_NETWORK).title}",
        on_click=state.choose_network,
        args=(services.networks.DEFAULT_NETWORK,),
        type="primary",
    )
    state.stop()


@page_content.fragment
def challenge() -> None:
    views.begin()
    case, both = debug_challenge.choose(face, network)
    debug_challenge.banner(case)
    with st.spinner("Computing the prediction"):
        debug_challenge.predictions(case, both)
    debug_checks.examine(case, both)
    if case.fault is not None:
        debug_challenge.diagnose(case)


challenge()
views.how_computed(*HOW)
