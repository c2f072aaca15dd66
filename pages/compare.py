"""Compare: predictions and maps of several networks for one face."""

import streamlit as st

from workbench import services
from workbench.services.compare import side_by_side
from workbench.ui import charts, compare, page_content, state, views

views.title("Compare", "Do networks agree, and do the same image regions support their predictions?")
face, network = state.face_or_stop(), state.network()
networks = compare.choose_networks(network)
if len(networks) < 2:
    other = next(name for name in (*side_by_side(), *services.networks.network_names()) if name != network)
    st.info("One network alone cannot be compared. Choose another above.")
    add = {"networks": [other]}
    st.button(f"Add {compare.named(other)}", on_click=st.session_state.update, args=(add,), type="primary")
    state.stop()

try:
    with st.spinner(f"Asking {len(networks)} networks"):
        compared = services.compare(face, networks, ask=state.explanation)
except ValueError as error:  # a damaged checkpoint: the message says what to do
    st.error(str(error))
    state.stop()
if compared.untrained:
    st.warning(
        f"**Random weights:** {compare.listed(compared.untrained)}. Such answers and maps mean nothing, and "
        "the verdict leaves them out."
    )

views.caption(compare.agreement(compared))
names = [compare.named(name) for name in compared.networks]
chart = charts.predictions_side_by_side(names, compared.classes, compared.probabilities)
charts.show(chart, "answers", "Probability of each class by each network")
views.caption(
    "**Calibrated probabilities;** the largest of each network is bold. They say what raters would call this face, "
    "and agreement is no proof: networks that learned from the same pictures can share an error."
)


@page_content.fragment
def evidence() -> None:
    st.subheader("Where does the evidence lie?")
    left, right = st.columns([5, 1], vertical_alignment="bottom")
    with left:
        class_ = state.choose_class(compared.shared_classes, compared.class_, "Maps for the class")
    with right.popover("Map settings"):
        scale = st.radio(
            "Brightest color: each network's strongest value of",
            compare.SCALES,
            key="scale",
            bind="query-params",
        )
        st.caption(
            "Logits of different networks have different units, so there is no scale for all of them: "
            "brighter in one network is not more than darker in another."
        )
    found = compared.of(class_)
    views.caption(compare.likeness(found))
    compare.maps(found, scale == compare.SCALES[0])
    compare.differences(found, scale == compare.SCALES[0])


evidence()
with views.computed("workbench.services.compare:compare", "workbench.analysis.attention:correlation_with_cams"):
    st.markdown(
        "**Maps:** Grad-CAM as on the page Explain, each from a layer of its own network (figure 9 of paper D sets a "
        "plain network beside one with attention). **Difference:** each map divided by the strongest value $m$ of its "
        "network, over all classes or, by the map settings, of this class:"
    )
    st.latex(r"D = \frac{L_1}{m_1} - \frac{L_2}{m_2} \in [-1, 1]")
    st.markdown("**Likeness:** Spearman's rank correlation, Pearson's correlation of the ranks $r$ of all places:")
    st.latex(r"\rho = \frac{\mathrm{cov}(r_1, r_2)}{\mathrm{sd}(r_1)\,\mathrm{sd}(r_2)}")
