"""SVD: how many strokes make a face?"""

import streamlit as st

from workbench import services
from workbench.ui import charts, model_picker, state, views

st.title("How many strokes make a face?")
st.markdown("Each term of the singular value decomposition is one column pattern times one row pattern: one stroke.")
face, network = state.face_or_stop(), state.network()
size = services.open_network(network).input_size


@st.fragment
def strokes() -> None:
    k = st.slider("Rank: number of terms kept", 1, size, 8, key="svd-rank")
    result = services.spectrum(face, network, k)
    sum_, last, values = st.columns(3)
    with sum_:
        views.strongest_terms(result)
    with last:
        charts.show(charts.signed(result.term, "gray"), "term", f"Term number {k} alone")
        st.markdown(
            f"**Term {k} alone:** what the last stroke adds (red) and takes away (blue). It is stripes and blocks, "
            "never a nose: no single term means a part of the face."
        )
    with values:
        views.singular_values(result)


def attention() -> None:
    st.subheader("What does SVD attention make of it?")
    st.markdown(
        f"The idea of paper D, *{services.paper('D')}*: let the fast waves of a feature map (the query) meet the map "
        "itself, and make of that a gate, a number from 0 to 1 by which each position is multiplied. "
        "HFC: the query is the high-frequency component; LFC: the low one. BAM is an older attention module, its rival."
    )
    layers = services.open_network(network).svd_layers
    if layers:
        steps_of(layers)
        return
    other = services.svd_networks()[0]
    st.info("The chosen network has no SVD attention. Choose one that has it to see inside.")
    st.button(f"Show {services.get_spec(other).title}", on_click=state.choose_network, args=(other,), type="primary")


@st.fragment
def steps_of(layers: tuple[str, ...]) -> None:
    if not services.open_network(network).trained:
        model_picker.random_weights_banner(network)
    names = {layer: f"module {i}" for i, layer in enumerate(layers, 1)}
    layer = st.segmented_control(
        "Module", layers, format_func=names.get, default=layers[0], required=True, key="svd-layer"
    )
    steps = services.svd_attention(face, network, layer)
    h, w = steps.a.shape[-2:]
    pressed, fast, lists = st.columns(3)
    with pressed:
        charts.show(charts.signed(steps.x_tilde[0], "x̃"), "x_tilde", "The map pressed into one channel")
        st.markdown(
            f"**Equation 1:** the map that arrives, {h} × {w}, pressed into one channel. "
            "Which sign is up was learned by chance, so red is not more than blue."
        )
    with fast:
        name, query, word = ("l", steps.low, "slow") if steps.sigma_h is None else ("h", steps.high, "fast")
        charts.show(charts.signed(query[0], name), "query", f"The {word} waves of that map, the query")
        st.markdown(
            f"**Equations 2 and 3:** its {word} waves {name}, the query. "
            "So far every value has its place; that something stands out here does not mean that it will count."
        )
    with lists:
        found = {"σ of x̃": steps.sigma_x, "σ of h": steps.sigma_h, "σ of l": steps.sigma_l}
        chart = charts.spectra({key: sigma[0] for key, sigma in found.items() if sigma is not None})
        charts.show(chart, "lists", "Singular values of the map and of the query")
        st.markdown(
            "**Equations 5 to 7:** both become lists of strengths, the largest first. "
            "From here on nothing tells where in the map a value came from."
        )
    product, gate, note = st.columns(3)
    with product:
        outer = (steps.outer[0, 0] + 1e-6).log10()
        more = f" (the first of {steps.outer.shape[1]})" if steps.outer.shape[1] > 1 else ""
        charts.show(charts.strength(outer, "log₁₀", *outer.aminmax()), "outer", "Outer product of the two lists")
        st.markdown(
            f"**Equation 8:** the product of every pair, logarithmic{more}. It is brightest at the upper left in every "
            "picture, because that is where the largest numbers stand."
        )
    with gate:
        charts.show(charts.strength(steps.a[0, 0], "a"), "gate", "The gate by which positions are multiplied")
        st.markdown(
            "**Equations 9 and 10:** convolved and pressed into 0 to 1, this is what the map is multiplied by. "
            "Bright places pass, dark ones are held back, whatever stands there."
        )
    note.warning(
        "**What this gate is not.** Its value at row i, column j is computed from the i-th and the j-th singular "
        "value, but it multiplies *position* (i, j) of the map. It weighs positions without having seen them: a map "
        "turned upside down has the same singular values, and so the same gate. It is not a map of where evidence lies."
    )


def helps() -> None:
    st.subheader("Does it help?")
    rows = []
    for gain in services.gains():
        ours = charts.interval(gain.accuracy) if gain.accuracy else "not run"
        change = charts.interval(gain.difference, signed=True) if gain.difference else "not run"
        paper = f"{100 * gain.reported:+.2f}" if gain.reported is not None else "not reported"
        rows.append(f"| {services.get_spec(gain.network).title} | {ours} | {change} | {paper} |")
    head = "| | accuracy here, % ↑ | difference to plain here | in paper D |\n|---|---:|---:|---:|"
    st.markdown("\n".join([head, *rows]))
    st.markdown(
        "**PrivateTest of FER2013; differences in percentage points, 95 % intervals in brackets.** Where an interval "
        "holds zero, the pictures do not tell the two apart. Ours are short trainings, one seed each, at 48 pixels; "
        "the paper reports the best of 100 epochs on its test set, at 224."
    )


def memory() -> None:
    st.subheader("Why not compare all pixels with all pixels?")
    account = services.memory_account()
    rows = {
        "Kronecker product, one picture": account.kronecker_picture,
        "Kronecker product, each picture of the batch": account.kronecker_batch,
        "Kronecker product over the batch as well": account.kronecker_over_batch,
        "Outer product of singular values, one picture": account.outer_picture,
        "Outer product of singular values, each picture of the batch": account.outer_batch,
    }
    table = "\n".join(f"| {name} | {charts.memory(count)} |" for name, count in rows.items())
    st.markdown(f"| {account.side} × {account.side}, batch {account.batch}, float32 | memory |\n|---|---:|\n{table}")
    st.markdown(
        "**The paper's 600.25 GB** appears only when the product is taken over the batch as well, which compares faces "
        "of different people with each other (it means GiB). For one picture the saving is still twelve-thousandfold; "
        "its price is that the outer product no longer knows places."
    )


strokes()
attention()
helps()
memory()
with st.expander("How it is computed"):
    st.latex(r"x = \sum_{i=1}^{n}\sigma_i\,u_i v_i^{\top}, \qquad \sigma_1 \ge \sigma_2 \ge \dots \ge 0")
    st.markdown("Signs of $u_i$ and $v_i$ are fixed so that the largest entry of $u_i$ is positive. SVD attention:")
    st.latex(r"\tilde x = C_{1\times 1}(x), \quad h = \mathcal{F}^{-1}\big(H \odot \mathcal{F}(\tilde x)\big)")
    st.latex(r"a = \mathrm{sigmoid}\big(C_{7\times 7}(\sigma_h\,\sigma_x^{\top})\big), \quad x' = a \odot x")
    st.markdown("The code: `workbench/analysis/spectra.py` and `models/layers/svd_attention.py`.")
