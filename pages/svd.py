"""SVD: low-rank approximations of a face, and SVD attention step by step."""

import streamlit as st

from workbench import faces, services
from workbench.ui import caveats, page_content, slow_requests, state, svd, views
from workbench.ui.how_computed.svd import HOW

views.title("SVD", "How much of a face does a low-rank approximation keep, and what does the network still recognize?")
face, network = state.face_or_stop(), state.network()
views.luminance_note(network)
net = state.network_or_stop()
caveats.show(network)


@page_content.fragment
def low_rank() -> None:
    k = st.slider("Rank k of the approximation", 1, net.input_size, 8, key="rank", bind="query-params")
    result = services.svd.spectrum(face, network, k)
    sum_, last, values = st.columns(3)
    with sum_:
        views.approximation(result)
    with last:
        svd.last_component(result.term, k)
    with values:
        views.singular_values(result)
    st.header("Prediction for each rank")
    count = net.input_size + 1
    if not slow_requests.ready(network, count, "Classify every rank", f"ranks-{face.key}-{network}"):
        return
    with slow_requests.running("Classifying every rank", count):
        found = state.cached(("ranks", face.key, network), lambda: services.svd.rank_predictions(face, network))
    svd.rank_predictions(found, k)


def attention() -> None:
    st.markdown(
        "Paper D computes a gate (a weight from 0 to 1 for each position) from the singular values of a feature map "
        "and of its high-frequency (HFC) or low-frequency component (LFC)."
    )
    steps(network if net.svd_layers else state.shown_instead(services.svd.svd_networks()[0], "SVD attention"))


@page_content.fragment
def steps(network: str) -> None:
    net = services.networks.open_network(network)
    names = {f"module {i}": layer for i, layer in enumerate(net.svd_layers, 1)}
    name = views.choose_one("Module", names, default="module 1", key="module")
    layer = names[name]
    found = state.cached(("svd", face.key, network, name), lambda: services.svd.svd_attention(face, network, layer))
    svd.query(found, net.model.get_submodule(layer).normalize)
    samples = len(faces.samples())
    if slow_requests.ready(network, samples, "Compute the gate", f"gate-{network}"):
        with slow_requests.running("Computing the gate for every sample", samples):
            spread = state.cached(("gate", network, name), lambda: services.svd.gate_spread(network, layer))
        svd.gate(found, spread, samples, net.trained)
    st.warning(
        "**This gate is not a map of evidence.** Its value at row i, column j is computed from the i-th and the j-th "
        "singular value and their neighbors, but multiplies *position* (i, j). A feature map turned upside down "
        "has the same singular values, and so the same gate."
    )


def results() -> None:
    st.header("Accuracy with and without attention")
    svd.gains()
    st.header("Memory: outer product and Kronecker product")
    svd.memory()


views.tabs({"Low rank": low_rank, "SVD attention": attention, "Results": results}, {"module": "SVD attention"}, HOW)
