"""Debug challenge: a network with a hidden fault, for the visitor to diagnose."""

import streamlit as st

from workbench import services
from workbench.ui import debug_challenge, debug_checks, model_picker, page_content, state, views

views.title("Debug challenge", "The network receives corrupted input or settings on purpose: what is wrong?")
face, network = state.face_or_stop(), state.network()
if not state.network_or_stop().trained:
    model_picker.random_weights_banner(network)
    st.info("Random weights are broken from the start, so no fault can be found in them. Choose a trained network.")
    st.button(
        f"Show {services.networks.get_spec(services.networks.DEFAULT_NETWORK).title}",
        on_click=state.choose_network,
        args=(services.networks.DEFAULT_NETWORK,),
        type="primary",
    )
    state.stop()


@page_content.fragment
def puzzle() -> None:
    views.begin()
    case, both = debug_challenge.choose(face, network)
    debug_challenge.banner(case)
    with st.spinner("Asking the network"):
        debug_challenge.answers(case, both)
    debug_checks.examine(case, both)
    if case.fault is not None:
        debug_challenge.diagnose(case)


puzzle()
with views.computed("workbench.services.debug_challenge:spoil", "workbench.services.debug_challenge:_in_training"):
    titles = ", ".join(fault.title.lower() for fault in services.debug_challenge.FAULTS.values())
    st.markdown(
        f"The faults: {titles}. The number of the puzzle decides which, the same for everybody who opens this link; in "
        "their order, the numbers go through all faults that a network can have, again and again. The network that "
        "other pages ask is never touched: a fault lies in what goes in, in what is read out, or in a double."
    )
    st.markdown("**Batch-norm** in training takes mean and spread of the pictures $B$ that pass together:")
    st.latex(r"y = \gamma\,\frac{x - \mu_B}{\sqrt{\sigma_B^2 + \varepsilon}} + \beta")
