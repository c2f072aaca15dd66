"""Robustness: the prediction under perturbations, occlusion and another crop."""

import streamlit as st

from workbench import services
from workbench.faces import PictureError
from workbench.services.robustness import CORRUPTIONS, Response, occlusion, occlusion_count, occlusion_patch
from workbench.ui import charts, model_picker, page_content, robustness, slow_requests, state, views

views.title("Robustness", "How does the prediction change when the image is perturbed?")
face, network = state.face_or_stop(), state.network()
net, me = state.network_or_stop(), (face.key, network)
if not net.trained:
    model_picker.random_weights_banner(network)


@page_content.fragment
def changed() -> None:
    titles = {name: corruption.title for name, corruption in CORRUPTIONS.items()}
    choose, told = st.columns([2, 3], vertical_alignment="bottom")
    name = choose.selectbox(
        "What happens to the picture", titles, format_func=titles.get, key="change", bind="query-params"
    )
    corruption = CORRUPTIONS[name]
    if not slow_requests.ready(network, len(corruption.values), "Ask the network", f"{name}-{face.key}-{network}"):
        return
    with st.spinner("Asking the network"):
        found = state.cached(("robustness", *me, name), lambda: services.robustness(face, network, name))
    with told:
        views.caption(robustness.where_it_changes(found, net.classes))
    at_a_value(found)
    views.caption(
        "Between the points nothing was asked. A falling line says that the network needs what was taken away, or "
        "merely that it never saw such pictures."
    )
    robustness.row_of_faces(found, net.classes)
    views.caption(
        f"**{corruption.title}:** {corruption.note} Under each picture: the value, the answer, its probability."
    )
    st.subheader("And over a whole test set?")
    robustness.test_set(network, name)


@page_content.fragment
def at_a_value(found: Response) -> None:
    left, right = st.columns([5, 2])
    with right:
        i = robustness.choose_value(found)
        value = found.values[i]
        words = robustness.number(float(value), found.corruption)
        charts.show(charts.face(found.pictures[i], words), "shown", "What the network was shown")
    with left:
        robustness.curves(found, net.classes, float(value))
        answer = found.probabilities[i]
        views.caption(
            f"**At {words} it answers {net.classes[answer.argmax()]}, {charts.percent(float(answer.max()))}.**"
        )


@page_content.fragment
def places() -> None:
    st.subheader("Which places does the answer need?")
    left, right = st.columns([2, 1])
    with left:
        class_ = state.choose_class(net.classes, services.predict(face, network).answer, "Probability of the class")
    share = robustness.choose_patch(right)
    count = occlusion_count(network, share)
    if not slow_requests.ready(network, count, "Cover it place by place", f"places-{share}-{face.key}-{network}"):
        return
    with st.spinner("Covering the face place by place"):
        drop = state.cached(("occlusion", *me, class_, share), lambda: occlusion(face, network, class_, share))
    seen, over, text = st.columns(3)
    with seen:
        side = net.input_size
        charts.show(charts.face(net.see(face), f"{side} × {side} pixels"), "whole", "The face as the network sees it")
    with over:
        charts.show(
            charts.face_with_signed(net.see(face), drop, "fall"), "places", f"What {class_} loses where covered"
        )
    with text:
        views.caption(robustness.what_covering_does(drop, class_, occlusion_patch(network, share)[0]))
        views.caption(
            "A square has edges that no face has, and what two places say together cannot be seen by hiding one. "
            "Compare it with the map on the page Explain, which hides nothing."
        )


@page_content.fragment
def frames() -> None:
    st.subheader("Does it matter where the frame is?")
    picture, box = state.picture()
    start = state.cached(("framed", *me, box), lambda: services.framing.framed(picture, box, network))
    class_ = start.prediction.answer
    move = robustness.choose_move()
    try:
        moved = services.framing.framed(picture, box, network, class_, move)
    except PictureError:
        st.info("The moved frame lies outside of the picture. Move it less.")
        return
    top = max((float(found.map.max()) for found in (start, moved) if found.map is not None), default=0.0)
    before, after, bars = st.columns(3)
    with before:
        robustness.frame(start, class_, top, "As it was found", "before")
    with after:
        robustness.frame(moved, class_, top, "Moved", "after")
    with bars:
        answer = moved.prediction
        chart = charts.probabilities(answer.classes, answer.probabilities, class_, answer.trained)
        charts.show(chart, "moved-bars", "Probability of each class for the moved frame")
        of_maps = "." if moved.map is None else ", the class of both maps."
        views.caption(f"The moved frame; outlined: {class_}{of_maps}")
    views.caption(
        f"**One face, two frames, one scale of colors.** "
        f"{robustness.same_place(services.framing.likeness(start, moved))} "
        "Nothing in the face has changed, so every difference comes of the frame; which of the two is better it does "
        "not say."
    )


def grid() -> None:
    if not slow_requests.ready(network, 25, "Try 25 frames", f"frames-{face.key}-{network}"):
        return
    picture, box = state.picture()
    with st.spinner("Trying frames"):
        found = state.cached(("grid", *me, box), lambda: services.framing.frame_grid(picture, box, network))
    robustness.grid(found)


changed()
places()
frames()
grid()
st.subheader("Is RARN aware of rotation?")
robustness.rotation()
with views.computed(
    "workbench.analysis.robustness:response",
    "workbench.analysis.robustness:warped",
    "workbench.analysis.robustness:occlusion",
    "workbench.services.framing:framed",
):
    st.markdown("**Curves:** with $T_v$ the change of value $v$ (Hendrycks and Dietterich 2019), each point is")
    st.latex(r"p_c(v) = \mathrm{softmax}_c\big(f(T_v(x)) / T\big), \quad T\ \text{the card's temperature}")
    st.markdown("**Covered places** (Zeiler and Fergus 2014): the mean over all patches $P$ that hold the pixel $u$ of")
    st.latex(r"d_c(P) = p_c(x) - p_c(x\ \text{with}\ P\ \text{in the picture's mean gray})")
    st.markdown("**Frames:** the square is cut out of the whole picture anew; beyond its border the edge is repeated.")
