"""Compare: predictions and maps of several networks for one face."""

from functools import partial

import streamlit as st

from workbench import services
from workbench.services.compare import comparable, side_by_side
from workbench.ui import caveats, charts, compare, model_picker, page_content, state, views
from workbench.ui.how_computed.compare import HOW

views.title("Compare", "Do networks agree, and do the same image regions support their predictions?")
face, network = state.face_or_stop(), state.network()
networks = compare.choose_networks(network)
if len(networks) < 2:
    known = (*side_by_side(), *services.networks.network_names(), *services.networks.checkpoint_names())
    others = comparable(network, [name for name in known if name != network])
    if others:
        st.info("A comparison needs two networks. Choose another one above.")
        add = {"networks": [others[0]]}
        st.button(f"Add {compare.named(others[0])}", on_click=st.session_state.update, args=(add,), type="primary")
    else:
        st.info("A comparison needs two networks with a class in common, and no other network has a class of this one.")
    state.stop()

try:
    with st.spinner(f"Computing the predictions of {len(networks)} networks"):
        compared = services.compare(face, networks, explainer=state.explanation)
except ValueError as error:  # a damaged checkpoint: the message says what to do
    st.error(str(error))
    state.stop()
if compared.untrained:
    st.warning(
        f"**{model_picker.NO_WEIGHTS.capitalize()}:** {compare.listed(compared.untrained)}. With random weights, "
        "predictions and maps mean nothing; they are left out of the summary below."
    )

caveats.of_face()
for name in compared.networks:
    if name not in compared.untrained:
        caveats.of_network(name)

views.caption(compare.agreement(compared))
names = [compare.named(name) for name in compared.networks]
chart = charts.predictions_side_by_side(names, compared.classes, compared.probabilities)
charts.show(chart, "predictions", f"Probability of each class by {compare.listed(compared.networks)}")
views.caption(
    "**Calibrated probabilities;** bold: the predicted class of each network. Agreement is not a proof: networks "
    "trained on the same images can share an error."
)


@page_content.fragment
def evidence() -> None:
    left, right = st.columns([5, 3])
    with left:
        class_ = state.choose_class(compared.shared_classes, compared.class_, "Maps for the class")
    with right:
        scale = compare.choose_scale()
    found = compared.of(class_)
    views.caption(compare.similarity(found))
    views.tabs(
        {
            "Maps": partial(compare.maps, found, scale),
            "Difference": partial(compare.differences, found, scale),
        },
        {"red": "Difference", "blue": "Difference"},
        HOW,
    )


evidence()
