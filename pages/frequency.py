"""Frequency: high- and low-frequency components of a face, and the prediction for each."""

import streamlit as st

from workbench import services
from workbench.ui import frequency, model_picker, page_content, slow_requests, state, views

views.title("Frequency", "Does the prediction rest on high or on low frequencies?")
face, network = state.face_or_stop(), state.network()
if not state.network_or_stop().trained:
    model_picker.random_weights_banner(network)


@page_content.fragment
def waves() -> None:
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    cutoff = left.slider(
        "Cut-off in cycles per pixel (radius / side)", 0.04, 0.4, 0.2, 0.01, key="cutoff", bind="query-params"
    )
    mask = views.choose_one(
        "Edge of the mask", ("ideal", "gaussian", "butterworth"), default="ideal", key="mask", place=right
    )
    views.frequency_components(services.frequency.frequencies(face, network, cutoff, mask))
    answers(cutoff, mask)
    swap(cutoff, mask)
    strength(cutoff)
    colors(cutoff, mask)


def answers(cutoff: float, mask: services.frequency.Mask) -> None:
    st.subheader("What does the network answer to a part of the waves?")
    if slow_requests.ready(network, 49, "Ask about 24 cut-offs", f"waves-{mask}-{face.key}-{network}"):
        with st.spinner("Asking about every cut-off"):
            response = state.frequency_response(face, network, mask)
        frequency.answers(response, cutoff)


@page_content.fragment
def swap(cutoff: float, mask: services.frequency.Mask) -> None:
    st.subheader("Whose answer does it give when two faces exchange their fast waves?")
    if not slow_requests.ready(network, 28, "Exchange the waves of two faces", f"swap-{mask}-{face.key}-{network}"):
        return
    rival = state.cached(("rival", face.key, network), lambda: services.frequency.rival(face, network))
    other = frequency.choose_other(face, rival)
    frequency.swap(services.frequency.band_swap(face, other, network, cutoff, mask))
    with st.spinner("Exchanging at every cut-off"):
        key = ("swap", face.key, other.key, network, mask)
        response = state.cached(key, lambda: services.frequency.swap_response(face, other, network, mask))
    frequency.swap_at_every_cutoff(response, services.networks.open_network(network).classes, cutoff)


def strength(cutoff: float) -> None:
    st.subheader("How strong is each wave?")
    found = services.frequency.amplitude(face, network)
    frequency.amplitudes(found, cutoff)


def colors(cutoff: float, mask: services.frequency.Mask) -> None:
    st.subheader("Do the colors differ in their fine lines?")
    parts = services.frequency.channels(face, cutoff, mask)
    frequency.channels(parts)
    pairs = ((0, 1, "red and green"), (0, 2, "red and blue"), (1, 2, "green and blue"))
    words = ", ".join(f"{title} {float(parts.likeness[i, j]):.2f}" for i, j, title in pairs)
    views.caption(
        f"**Correlation of the fast waves:** {words} (1 is the same picture). Where the three are alike, one channel "
        f"is enough. So argues paper D, *{services.networks.paper('D')}*, and presses its maps into one; for the "
        f"maps inside a "
        "network that does not follow."
    )


waves()
with views.computed(
    "workbench.analysis.frequency:split_frequencies",
    "workbench.analysis.frequency:swap_bands",
    "workbench.analysis.frequency:log_amplitude",
    "models.layers.frequency:radial_mask",
):
    st.markdown("A mask $M$ over the plane of frequencies keeps the slow waves; the fast ones are what is left over.")
    st.latex(
        r"\mathrm{low} = \mathcal{F}^{-1}\big(M \odot \mathcal{F}(x)\big), \qquad \mathrm{high} = x - \mathrm{low}"
    )
    st.markdown(
        "With $r$ the radius of a wave in cycles per pixel and $c$ the cut-off: *ideal* is 1 up to $c$ and 0 beyond, "
        r"so edges ring; *gaussian* is $e^{-r^2/2c^2}$; *butterworth* is $1/(1+(r/c)^4)$. Paper D does not say which "
        "it takes, nor where its cut-off lies. Two faces $a$ and $b$ exchange their fast waves (hybrid images; Oliva, "
        "Torralba and Schyns 2006):"
    )
    st.latex(r"m = \mathrm{low}(a) + \mathrm{high}(b), \qquad m' = \mathrm{low}(b) + \mathrm{high}(a)")
