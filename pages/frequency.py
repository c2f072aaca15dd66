"""Frequency: high- and low-frequency components of a face, and the prediction for each."""

from functools import partial

import streamlit as st

from workbench import services
from workbench.ui import caveats, frequency, page_content, slow_requests, state, views
from workbench.ui.how_computed.frequency import HOW

views.title("Frequency", "Does the prediction rest on high or on low frequencies?")
face, network = state.face_or_stop(), state.network()
views.luminance_note(network)
state.network_or_stop()
caveats.show(network)


@page_content.fragment
def main() -> None:
    left, right = st.columns([3, 2], vertical_alignment="bottom")
    cutoff = left.slider(
        "Cut-off frequency in cycles per pixel", 0.04, 0.4, 0.2, 0.01, key="cutoff", bind="query-params"
    )
    mask = views.choose_one(
        "Filter", ("gaussian", "butterworth", "ideal"), default="gaussian", key="mask", container=right
    )
    views.tabs(
        {
            "Filter": partial(components, cutoff, mask),
            "Hybrid images": partial(hybrids, cutoff, mask),
            "Spectrum": partial(spectrum, cutoff),
            "Color": partial(channels, cutoff, mask),
        },
        {"other": "Hybrid images"},
        HOW,
    )


def components(cutoff: float, mask: services.frequency.Mask) -> None:
    views.frequency_components(services.frequency.frequencies(face, network, cutoff, mask))
    if mask == "ideal":
        views.caption(
            "**Ringing:** the waves beside edges come from the sharp cut-off of the ideal filter, not the face."
        )
    st.header("Prediction for each component")
    if slow_requests.ready(network, 49, "Classify both components", f"components-{mask}-{face.key}-{network}"):
        with slow_requests.running("Classifying at 24 cut-off frequencies", 49):
            response = state.frequency_response(face, network, mask)
        frequency.predictions(response, cutoff)


@page_content.fragment
def hybrids(cutoff: float, mask: services.frequency.Mask) -> None:
    st.markdown("Low frequencies of one face, high frequencies of another.")
    if not slow_requests.ready(network, 28, "Compute hybrid images", f"swap-{mask}-{face.key}-{network}"):
        return
    default = state.cached(("other", face.key, network), lambda: services.frequency.other_sample(face, network))
    other = frequency.choose_other(face, default)
    frequency.swap(services.frequency.band_swap(face, other, network, cutoff, mask))
    with slow_requests.running("Computing hybrid images at 24 cut-off frequencies", 24):
        key = ("swap", face.key, other.key, network, mask)
        response = state.cached(key, lambda: services.frequency.swap_response(face, other, network, mask))
    frequency.swap_at_every_cutoff(response, services.networks.open_network(network).classes, cutoff)


def spectrum(cutoff: float) -> None:
    found = services.frequency.amplitude(face, network)
    frequency.amplitudes(found, cutoff)


def channels(cutoff: float, mask: services.frequency.Mask) -> None:
    parts = services.frequency.channels(face, cutoff, mask)
    frequency.channels(parts)
    pairs = ((0, 1, "red and green"), (0, 2, "red and blue"), (1, 2, "green and blue"))
    words = ", ".join(f"{title} {float(parts.correlation[i, j]):.2f}" for i, j, title in pairs)
    views.caption(
        f"**Correlation of the high-frequency components:** {words} (1: identical). From similar channels paper D, "
        f"*{services.networks.paper('D')}*, concludes that feature maps can be projected to one channel too; that "
        "does not follow."
    )


main()
