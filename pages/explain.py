"""Explain: what in the picture carried the decision?"""

import streamlit as st

from workbench import services
from workbench.ui import charts, model_picker, state, views

st.title("What in the picture carried the decision?")
st.markdown("A network names the expression, and Grad-CAM shows where in the picture the evidence for a class lies.")

face, network = state.face_or_stop(), state.network()
if services.get_spec(network).cam_layer is None:
    prediction = services.predict(face, network)
    st.info("This network has no layer of its own whose maps could be shown. Choose one of its members for maps.")
    if not prediction.trained:
        model_picker.random_weights_banner(network)
    chart = charts.probabilities(prediction.classes, prediction.probabilities, prediction.answer, prediction.trained)
    charts.show(chart, "probabilities", "Probability of each class")
    st.markdown(
        f"**The network answers {prediction.answer}.** It predicts what raters would call this face, "
        "not what the person feels."
    )
    st.stop()

try:
    with st.spinner("Asking the network"):
        explanation = state.explanation(face, network)
except ValueError as error:  # a damaged checkpoint, a network without maps: the message says what to do
    st.error(str(error))
    st.stop()
prediction = explanation.prediction
if not prediction.trained:
    model_picker.random_weights_banner(network)


size = len(explanation.pixels)
picture = charts.face(explanation.pixels, f"{size} × {size} pixels")  # once, not again at each change of class


@st.fragment
def maps() -> None:
    left, right = st.columns([5, 1], vertical_alignment="bottom")
    class_ = left.segmented_control(
        "Map for the class",
        prediction.classes,
        default=prediction.answer,
        required=True,
        wrap=True,
        key=f"class-{network}-{face.key}",
    )
    with right.popover("Map settings"):
        opacity = st.slider("Opacity", 0, 100, 70, format="%d %%", key="opacity") / 100
        shared = st.toggle("One scale for all classes", value=True, key="shared_scale")
    heat = explanation.map_of(class_)
    top = float(explanation.maps().max() if shared else heat.max())

    seen, over, bars = st.columns(3)
    with seen:
        charts.show(picture, "seen", "The face as the network sees it")
        st.markdown(
            f"**What the network sees:** {size} × {size} gray pixels. "
            "Colour and finer detail are gone, so they cannot have counted."
        )
    with over:
        chart = charts.face_with_map(explanation.pixels, heat, top, opacity)
        charts.show(chart, "map", f"Grad-CAM for {class_} over the face")
        if float(heat.max()) == 0:
            st.markdown(f"**This map is blank:** no place speaks for {class_}. A blank map is no evidence of anything.")
        elif float(heat.max()) < 0.15 * top:
            st.markdown(
                f"**Hardly anything speaks for {class_}:** on the scale that all classes share its map is faint. "
                "Map settings gives it a scale of its own, which makes weak evidence look strong."
            )
        else:
            h, w = explanation.extent
            st.markdown(
                f"**The map highlights** where layer `{explanation.layer}` ({h} × {w}, enlarged) speaks for {class_}. "
                "It does not prove that these pixels decided: a wrong answer can have a sensible map."
            )
    with bars:
        chart = charts.probabilities(prediction.classes, prediction.probabilities, class_, prediction.trained)
        charts.show(chart, "probabilities", "Probability of each class")
        share = charts.percent(float(prediction.probabilities.max()))
        means = (
            "It predicts what raters would call this face, not what the person feels."
            if prediction.trained
            else "Its weights are random, so this means nothing."
        )
        st.markdown(
            f"**The network answers {prediction.answer}, {share}.** {means} The outlined bar is the class of the map."
        )


@st.fragment
def waves() -> None:
    st.subheader("Is it in the fine lines or in the broad shapes?")
    cutoff = st.slider("Cut-off in cycles per pixel (radius / side)", 0.04, 0.4, 0.2, 0.01, key="cutoff")
    views.waves(services.frequencies(face, network, cutoff))


@st.fragment
def strokes() -> None:
    st.subheader("How many strokes make a face?")
    k = st.slider("Rank: number of terms kept", 1, size, 8, key="rank")
    result = services.spectrum(face, network, k)
    left, right = st.columns([1, 2])
    with left:
        views.strongest_terms(result)
    with right:
        views.singular_values(result)


maps()
waves()
strokes()
with st.expander("How it is computed"):
    st.markdown(
        "**Grad-CAM** (Selvaraju et al. 2017) weighs the maps $A^k$ of a layer by the mean gradient of the logit $y^c$:"
    )
    st.latex(r"\alpha_k^c = \frac{1}{Z}\sum_{i,j}\frac{\partial y^c}{\partial A^k_{ij}}")
    st.latex(r"L^c = \mathrm{ReLU}\Big(\sum_k \alpha_k^c A^k\Big)")
    st.markdown("**Frequencies:** a circle of the radius cut-off × side divides the spectrum; low is inside of it.")
    st.latex(
        r"\mathrm{low} = \mathcal{F}^{-1}\big(M \odot \mathcal{F}(x)\big), \qquad \mathrm{high} = x - \mathrm{low}"
    )
    st.markdown("**Singular values:** the picture as a sum of a column pattern times a row pattern, strongest first.")
    st.latex(r"x = \sum_{i=1}^{n}\sigma_i\,u_i v_i^{\top}, \qquad \sigma_1 \ge \sigma_2 \ge \dots \ge 0")
    st.markdown("The code: `cam.py`, `frequency.py` and `spectra.py` in `workbench/analysis/`.")
