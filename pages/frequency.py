"""Frequency: is it the wrinkles or the shape?"""

import streamlit as st

from workbench import services
from workbench.ui import charts, model_picker, state, views

st.title("Is it the wrinkles or the shape?")
st.markdown("A picture is a sum of waves: cut it into its fast and its slow ones, and ask the network about each.")
face, network = state.face_or_stop(), state.network()
left, right = st.columns([3, 2], vertical_alignment="bottom")
cutoff = left.slider("Cut-off in cycles per pixel (radius / side)", 0.04, 0.4, 0.2, 0.01, key="frequency-cutoff")
mask = right.segmented_control(
    "Edge of the mask", ("ideal", "gaussian", "butterworth"), default="ideal", required=True, key="frequency-mask"
)


def answers() -> None:
    st.subheader("What does the network answer to a part of the waves?")
    response = state.frequency_response(face, network, mask)
    if not response.trained:
        model_picker.random_weights_banner(network)
    whole = response.classes[int(response.whole.argmax())]
    for column, part, title, text in zip(
        st.columns(2),
        (response.low, response.high),
        ("Slow waves only, up to the cut-off", "Fast waves only, from the cut-off on"),
        (
            f"To the right everything is shown, and the answer is {whole}. Where a line rises, waves that this answer "
            "needs have come in; whether people need the same ones is another question.",
            "To the left nearly everything is shown, around its average gray. A picture without slow waves is unlike "
            "any that the network was trained on, so a wrong answer here does not prove that it never uses fast ones.",
        ),
        strict=True,
    ):
        with column:
            chart = charts.curves(
                response.cutoffs,
                part.T,
                response.classes,
                "cut-off in cycles per pixel",
                "probability",
                charts.class_colours(response.classes),
                mark=cutoff,
            )
            charts.show(chart, title, f"Probability of each class. {title}")
            st.markdown(f"**{title}.** {text} The dotted line is the slider's cut-off.")


def colours() -> None:
    st.subheader("Do the colours differ in their fine lines?")
    parts = services.channels(face, cutoff, mask)
    for column, name, pixels in zip(st.columns(3), parts.names, parts.high, strict=True):
        with column:
            charts.show(charts.face(pixels, name), name, f"Fast waves of the {name} channel")
    pairs = ((0, 1, "red and green"), (0, 2, "red and blue"), (1, 2, "green and blue"))
    words = ", ".join(f"{title} {float(parts.likeness[i, j]):.2f}" for i, j, title in pairs)
    st.markdown(
        f"**Correlation of the fast waves:** {words} (1 is the same picture). Where the three are alike, one channel "
        f"is enough. So argues paper D, *{services.paper('D')}*, and presses its maps into one; for the maps inside a "
        "network that does not follow."
    )


views.waves(services.frequencies(face, network, cutoff, mask))
answers()
colours()
with st.expander("How it is computed"):
    st.markdown("A mask $M$ over the plane of frequencies keeps the slow waves; the fast ones are what is left over.")
    st.latex(
        r"\mathrm{low} = \mathcal{F}^{-1}\big(M \odot \mathcal{F}(x)\big), \qquad \mathrm{high} = x - \mathrm{low}"
    )
    st.markdown(
        "With $r$ the radius of a wave in cycles per pixel and $c$ the cut-off: *ideal* is 1 up to $c$ and 0 beyond, "
        r"so edges ring; *gaussian* is $e^{-r^2/2c^2}$; *butterworth* is $1/(1+(r/c)^4)$. Paper D does not say which "
        "it takes. The code: `workbench/analysis/frequency.py` and `models/layers/frequency.py`."
    )
