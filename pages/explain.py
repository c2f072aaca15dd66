"""Explain: the prediction for a face, a map over it, and tests of both."""

import streamlit as st

from workbench import services
from workbench.analysis.methods import EXPLAINERS
from workbench.ui import caveats, charts, compare, map_details, map_quiz, page_content, state, uncertainty, views
from workbench.ui.how_computed.explain import GRAD_CAM, HOW, MAP, QUIZ

views.title("Explain", "Which image regions support the prediction?")
face, network = state.face_or_stop(), state.network()
spec = services.networks.get_spec(network)
if spec.cam_layer is None:
    try:
        prediction = services.predict(face, network)
    except ValueError as error:  # a damaged member
        st.error(str(error))
        state.stop()
    if spec.composite:
        members = compare.listed(services.networks.members(network))
        st.info(f"An ensemble has no layer of its own, so there is no map. Choose a member for maps: {members}.")
    else:
        st.info("No layer of this network has feature maps that lead to its prediction, so there is no map.")
    caveats.show(network)
    chart = charts.probabilities(prediction.classes, prediction.probabilities, "", prediction.trained)
    alt = views.probabilities_alt(network, prediction.classes, prediction.probabilities)
    charts.show(chart, "probabilities", alt)
    share = charts.percent(float(prediction.probabilities.max()))
    views.caption(f"**Prediction: {prediction.predicted}, {share}.** {views.meaning(network)}")
    uncertainty.show(face, network, prediction)
    state.stop()

try:
    with st.spinner("Computing the prediction"):
        explanation = state.explanation(face, network)
except ValueError as error:  # a damaged checkpoint, a network without maps: the message says what to do
    st.error(str(error))
    state.stop()
prediction = explanation.prediction
caveats.show(network)

size = len(explanation.pixels)
image = charts.face(explanation.pixels, f"{size} × {size} pixels")  # once, not again at each change of class
inner = explanation.inner
RESIZED = f" It resizes them to {inner} × {inner}, which adds no detail." if inner and inner > size else ""
RANDOM = "The weights are random, so this means nothing."


def of_map(method: str) -> str:
    """How the map above the tabs is computed."""
    found = EXPLAINERS[method]
    return GRAD_CAM if method == "gradcam" else f"**{found.title}** ({found.paper}). {found.idea}\n\n"


@page_content.fragment
def maps() -> None:
    left, middle, right = st.columns([5, 1.25, 1.25], vertical_alignment="bottom")
    predict_first = middle.toggle(
        "Predict first", key="guess", bind="query-params", help="Guess class and region before the network's are shown."
    )
    with right.popover("Map settings"):
        method = map_details.ONE_PASS[st.radio("Method", map_details.ONE_PASS, key="method", bind="query-params")]
        opacity = st.slider("Opacity", 0, 100, 70, format="%d %%", key="opacity", bind="query-params") / 100
        shared = st.toggle("One scale for all classes", value=True, key="shared", bind="query-params")
    if predict_first and not map_quiz.revealed(face, network, method):
        map_quiz.ask(explanation, face, network, method)  # without the class chooser, which shows the prediction
        views.how_computed(QUIZ, "workbench.services.map_quiz:score")
        return
    with left:
        class_ = state.choose_class(explanation.mapped, prediction.predicted)
    if predict_first and class_ == prediction.predicted:
        map_quiz.show(explanation, face, class_, method, opacity)
    else:
        face_map_prediction(class_, method, opacity, shared)
    always = of_map(method) + (QUIZ if predict_first else "")
    how = {tab: (f"{always}\n{text}", *functions, *MAP) for tab, (text, *functions) in HOW.items()}
    map_details.tabs(map_details.Chosen(face, network, explanation, class_, method, opacity, shared), how)


def face_map_prediction(class_: str, method: str, opacity: float, shared: bool) -> None:
    heat = explanation.map_of(class_, method)
    top = float(explanation.maps(method).max() if shared else heat.max())
    columns = st.columns(3)
    seen, over, bars = columns[-1:] + columns[:2] if charts.is_phone() else columns  # there, map and prediction first
    with seen:
        charts.show(image, "seen", f"The face as {spec.title} receives it: {size} × {size} pixels")
        color = services.networks.open_network(network).color
        lost = "Drawn without its color. The network sees no" if color else "The network sees no color and no"
        kind = "RGB" if color else "gray"
        views.caption(f"**Input:** {size} × {size} {kind} pixels. {lost} finer detail." + RESIZED)
    with over:
        chart = charts.face_with_map(explanation.pixels, heat, top, opacity)
        charts.show(chart, "map", f"{EXPLAINERS[method].title} for {class_} over the face, {spec.title}")
        views.caption(map_caption(class_, EXPLAINERS[method].title, float(heat.max()), top))
    with bars:
        chart = charts.probabilities(prediction.classes, prediction.probabilities, class_, prediction.trained)
        alt = views.probabilities_alt(network, prediction.classes, prediction.probabilities)
        charts.show(chart, "probabilities", alt)
        share = charts.percent(float(prediction.probabilities.max()))
        views.caption(
            f"**Prediction: {prediction.predicted}, {share}.** {views.meaning(network)} Outlined: the class of the map."
        )


def map_caption(class_: str, title: str, most: float, top: float) -> str:
    if most == 0:
        return f"**{title}: this map is blank,** no region supports {class_}. A blank map is not evidence of anything."
    if most < 0.15 * top:
        return (
            f"**{title}: weak evidence for {class_}** in layer `{explanation.layer}`: on the scale shared by all "
            "classes its map is faint. *Map settings* can give it its own scale, which makes weak evidence look "
            "strong."
        )
    h, w = explanation.extent
    means = (
        "It does not prove that these pixels caused the prediction; a wrong prediction can have a sensible map."
        if prediction.trained
        else RANDOM
    )
    return (
        f"**{title} for {class_}** in layer `{explanation.layer}` ({h}\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}{w}, "
        f"resized). Brighter: stronger evidence. {means}"
    )


maps()
