"""Sections of the page Attention: one module, all in order, switches, what each is worth, attention beside the CAM."""

from __future__ import annotations

from collections import Counter

import streamlit as st
from torch import Tensor

from workbench import navigation, services
from workbench.faces import Face
from workbench.services.attention import BesideCams, Inside, Module
from workbench.services.gates import Gates

from . import charts, gates, page_content, state, views

_GATES = {  # kind of module → what its weights do to the map that they meet
    "BAM": "The map is multiplied by one plus this, so nothing is held back: bright places pass up to twice as strong",
    "SVDAttention": "Computed from sorted singular values, it weighs positions without having seen what stands there",
    "AngleAttention": "Each place is multiplied by this: bright ones pass, uncolored ones are held back",
    "TransformerBlock": "How much of all attention each place receives, with the residual path beside it counted in",
}
_GATE = "Each place is multiplied by this, after the channels: bright ones pass, uncolored ones are held back"

FEW = 25  # places: by chance every twentieth rank correlation of two maps is beyond ±0.4, with nine beyond ±0.7

_KINDS = {  # attention of a network → what it weighs, and whose idea it is
    "BAM": "weighs channels and places at once and keeps its input beside them (Park et al. 2018).",
    "SVD": "makes a gate of singular values (paper D).",
    "SCA, transformer": "weighs channels, then places; then positions ask each other (paper B).",
    "CBAM": "weighs channels, then places (Woo et al. 2018).",
    "angle": "weighs places by what kernels answer there at eight angles (paper A; the turned kernels are ours).",
}


def without_modules(network: str) -> None:
    """In place of the page for a network that has no attention module to open: why, and one of each kind that has."""
    spec = services.networks.get_spec(network)
    if spec.attention:
        st.info(f"The attention of {spec.title} ({spec.attention}) sits inside its blocks and has no maps to show.")
        gates.section(network, gates.measured(network), {})
    else:
        st.info(
            f"{spec.title} has no attention modules: between its convolutions nothing computes weights for channels or "
            "places, so there is nothing to open. The maps on the page Explain need none, they come from gradients."
        )
    st.subheader("Open one that has some")
    shown: dict[str, str] = {}  # of each kind the first, so a trained one where there is one
    for name in services.attention.networks_with_attention():
        shown.setdefault(services.networks.get_spec(name).attention, name)
    for i, (kind, name) in enumerate(shown.items()):
        button, text = st.columns([1, 2], vertical_alignment="center")
        title, weights = (
            services.networks.get_spec(name).title,
            "" if services.networks.is_trained(name) else " Random weights so far.",
        )
        button.button(
            f"Show {title}", key=f"show-{name}", on_click=state.choose_network, args=(name,), width="stretch",
            type="primary" if i == 0 else "secondary",
        )  # fmt: skip
        text.markdown(f"**{kind[0].upper()}{kind[1:]}** {_KINDS[kind]}{weights}")


def label(number: int, module: Module) -> str:
    """A module by its number in the forward pass and its kind."""
    kinds = {"SVDAttention": "SVD", "AngleAttention": "angle", "TransformerBlock": "transformer"}
    return f"{number + 1} {kinds.get(module.kind, module.kind)}"


def labels(modules: tuple[Module, ...]) -> dict[str, str]:
    """Module → its number and its kind."""
    return {module.layer: label(i, module) for i, module in enumerate(modules)}


def choose_module(found: Inside) -> Module:
    """One of the modules, in the order of the forward pass."""
    labels = [label(i, module) for i, module in enumerate(found.modules)]
    if st.session_state.get("module", labels[0]) not in labels:
        st.session_state["module"] = labels[0]  # it was chosen for another network
    chosen = views.choose_one("Module, in the order of the forward pass", labels, default=labels[0], key="module")
    return found.modules[labels.index(chosen)]


def gate(found: Inside, module: Module, whole: bool, measured: Gates | None) -> None:
    """The weights of places over the face, with what they do, and whether they depend on the input."""
    weights = module.gate.values[0]
    low, high = (0.0, 1.0) if whole and not module.heads else tuple(float(end) for end in weights.aminmax())
    charts.show(
        charts.weights_over_face(
            found.pixels, found.over_face(weights), "share" if module.heads else "weight", low, high
        ),
        "gate",
        f"The weights of places of module {module.layer} over the face",
    )
    h, w = weights.shape
    digits = 3 if module.heads else 2  # shares of N places are small
    lowest, highest = (f"{float(end):.{digits}f}" for end in weights.aminmax())
    reach = f"from {lowest} to {highest}" if lowest != highest else f"{lowest} everywhere"
    faint = whole and not module.heads and float(weights.max() - weights.min()) < 0.25
    views.caption(
        f"**{module.gate.title.capitalize()}**, {h} × {w}, enlarged, {reach}. "
        + ("These differ little; Map settings can give them a scale of their own. " if faint else "")
        + f"{_GATES.get(module.kind, _GATE)}. A high weight does not mean that the answer needed the place."
    )
    gates.beside_map(measured, module.layer)


def steps(module: Module, by_number: bool) -> None:
    """What else a module computes, beside its weights of places; channels by their number or by their weight."""
    if module.kind == "BAM":
        left, right = st.columns(2)
        with left:
            _places(
                module,
                "place branch",
                "one of two branches asks which places count. Red raises the weight of a place, blue lowers it, in all "
                "channels alike; that is not yet what passes.",
            )
        with right:
            _channels(module, "channel branch", "before the sigmoid", by_number)
    elif module.kind == "SVDAttention":
        left, right = st.columns(2)
        with left:
            _places(
                module,
                "one channel",
                "the map that arrives, pressed into one (equation 1). Which sign is up was learned by chance, so red "
                "is not more than blue.",
            )
        with right:
            _places(
                module,
                "fast waves",
                "those of that channel (equations 2 and 3). Where they stand out is lost on the way to the gate.",
            )
        st.page_link(navigation.FOLDER / "svd.py", label="Every step of SVD attention: page SVD")
    elif module.kind == "AngleAttention":
        _angles(module)
    elif module.heads:
        _heads(module)
    else:
        _channels(module, "channel weights", "weight", by_number)


def _places(module: Module, title: str, words: str) -> None:
    values = module.named(title).values[0]
    charts.show(charts.signed(values, "value"), title, f"{title} of {module.layer}")
    views.caption(f"**{title.capitalize()}:** {words}")


def _channels(module: Module, title: str, unit: str, by_number: bool) -> None:
    found = module.named(title)
    weights = found.values[0]
    charts.show(
        charts.channel_weights(weights, unit, found.limits, by_number), "channels", f"{title} of {module.layer}"
    )
    most, least = int(weights.argmax()), int(weights.argmin())
    highest, lowest = (charts.hundredths(float(weights[i])) for i in (most, least))
    views.caption(
        f"**{title.capitalize()}**, {len(weights)} of them: channel {most} gets the most ({highest}), "
        f"{least} the least ({lowest}). What pattern a channel stands for, its weight does not say."
    )


def _angles(module: Module) -> None:
    left, right = st.columns(2)
    degrees = module.named("angle that won").values[0]
    with left:
        turns, counts = degrees.unique(return_counts=True)
        charts.show(charts.winning_angles(degrees), "angles", "The angle that won at each place")
        first = int(counts.argmax())
        views.caption(
            f"**The angle that won** at each place: {turns[first]:g}° most often, at "
            f"{charts.percent(float(counts[first]) / degrees.numel())} of them. It is the turn of a learned kernel, "
            "not of the head."
        )
    with right:
        values = module.named("answer at that angle").values[0]
        charts.show(
            charts.strength(values, "response", *values.aminmax()), "response", "How strongly the winner answered"
        )
        views.caption(
            "**How strongly it answered there.** Average and maximum over all angles make the weight of a place, so a "
            "strong answer need not be let through."
        )


def _heads(module: Module) -> None:
    pairs: Tensor = module.heads[0].pairs[0]  # (N, N)
    h, w = module.gate.values.shape[-2:]
    mean = st.toggle("Mean of all places that ask", value=True, key="mean", bind="query-params")
    mark = None
    if not mean:
        left, right = st.columns(2)
        row = left.slider("Row of the place that asks", 1, h, (h + 1) // 2, key="row", bind="query-params") - 1
        column = right.slider("Its column", 1, w, (w + 1) // 2, key="column", bind="query-params") - 1
        mark = (row, column)
    maps = {
        head.title: head.values[0] if mark is None else head.pairs[0, mark[0] * w + mark[1]].reshape(h, w)
        for head in module.heads
    }
    high = max(float(values.max()) for values in maps.values())
    charts.show(charts.small_maps(maps, 0.0, high, mark=mark), "heads", "What each head attends to")
    asks = "the places together attend to" if mark is None else "the place with the cross attends to"
    views.caption(
        f"**What {asks} in each of {len(maps)} heads:** shares that sum to 1, all on one scale; even attention would "
        f"be {1 / len(pairs):.3f} everywhere. {_where_heads_look(maps)} What is done with the values that are fetched, "
        "they do not say."
    )


def _where_heads_look(maps: dict[str, Tensor]) -> str:
    """The place that most heads attend to most."""
    places = Counter(divmod(int(values.argmax()), values.shape[1]) for values in maps.values())
    (row, column), count = places.most_common(1)[0]
    if count == 1:
        return "Each head looks most at another place."
    who = f"All {count} heads look" if count == len(maps) else f"{count} of {len(maps)} heads look"
    return f"{who} most at one place, row {row + 1}, column {column + 1}."


def all_modules(modules: tuple[Module, ...]) -> None:
    """The weights of places of every module, small, on one scale; nothing where there is one alone."""
    maps = {label(i, module): module.gate.values[0] for i, module in enumerate(modules) if not module.heads}
    if len(maps) < 2:
        return
    st.subheader("All modules in order")
    charts.show(charts.small_maps(maps, 0.0, 1.0), "all", "The weights of places of every module")
    means = {name: float(values.mean()) for name, values in maps.items()}
    most, least = max(means, key=means.get), min(means, key=means.get)
    views.caption(
        f"**From the picture's side to the answer's, each on its own grid.** On average module {most} weighs places "
        f"highest ({means[most]:.2f}), module {least} lowest ({means[least]:.2f}); whether that matters is asked below."
    )


@page_content.fragment
def switches(face: Face, network: str, modules: tuple[Module, ...]) -> None:
    """A toggle for each module, and the logits with and without those that are off."""
    st.subheader("What is the answer without them?")
    off = []
    for start in range(0, len(modules), 4):  # row by row, so that they stand in order on a phone too
        for i, column in zip(range(start, min(start + 4, len(modules))), st.columns(4), strict=False):
            name, key = f"Module {label(i, modules[i])}", f"module{i + 1}"
            if not column.toggle(name, value=True, key=key, bind="query-params"):
                off.append(modules[i].layer)
    found = services.attention.switched(face, network, off)
    left, right = st.columns([2, 1])
    with left:
        charts.show(
            charts.logit_pairs(found.classes, found.logits, found.without if off else None),
            "logits",
            "Logits with and without modules",
        )
    with right:
        before = f"{found.answer}, {charts.percent(float(found.probabilities.max()))}"
        if not off:
            views.caption(
                f"**With every module the network answers {before}.** Switch one off: it then returns what it gets, "
                "for this question only, and pale bars show the logits that are left."
            )
            return
        after = f"{found.answer_without}, {charts.percent(float(found.probabilities_without.max()))}"
        class_, change = found.largest_change
        views.caption(
            f"**Without {'it' if len(off) == 1 else 'them'} the network answers {after}** (with all: {before}). The "
            f"logit of {class_} changes most, by {charts.hundredths(change)}. "
            "The rest was trained with the module in place, so this is what it does here, not what attention is "
            "worth in general."
        )


def worth(face: Face, network: str, modules: tuple[Module, ...]) -> None:
    """Each module switched off alone, and all together, as a table."""
    names = {module.layer: f"module {label(i, module)}" for i, module in enumerate(modules)}
    rows = []
    for row in state.cached(("switched", face.key, network), lambda: services.attention.switched_each(face, network)):
        index, (class_, change) = row.classes.index(row.answer), row.largest_change
        off = names[row.off[0]] if len(row.off) == 1 else "all of them"
        left, now = (charts.percent(float(p[index])) for p in (row.probabilities, row.probabilities_without))
        sign = ("+" if change > 0 else "") + charts.hundredths(change)
        rows.append(f"| {off} | {row.answer_without} | {left} → {now} | {class_} {sign} |")
    head = f"| off | answer | probability of {row.answer} | largest change of a logit |\n|---|---|---:|---:|"
    st.markdown("\n".join([head, *rows]))
    what = "Each module switched off alone, then all" if len(modules) > 1 else "The module switched off"
    views.caption(
        f"**{what}.** Off, it lets everything pass as it comes: where its weights were small, the layers behind get "
        "far larger values than they learned with, so a large change need not mean a large part. One face says little "
        "too; whether a module makes a network better, only a training without it can say."
    )


def beside_cams(face: Face, network: str, modules: tuple[Module, ...]) -> None:
    """How little the order of places is the same in attention and in class activation maps."""
    st.subheader("Is attention the explanation?")
    found = state.cached(("beside", face.key, network), lambda: services.attention.beside_cams(face, network))
    names = {module.layer: label(i, module) for i, module in enumerate(modules)}
    columns = [f"<b>{name}</b>" if name == found.answer else name for name in found.classes]
    rows = [names[m.layer] + (f", {m.title}" if m.pairs is not None else "") for m in found.maps]
    charts.show(charts.correlation_table(rows, columns, found.likeness), "beside", "Attention beside CAM")
    if found.extent is None:
        views.caption("**Every map is blank or flat,** so there is no order of places to compare.")
        return
    low, high = (charts.hundredths(end) for end in found.extent)
    views.caption(
        f"**Attention is not explanation.** Rank correlations with the Grad-CAM of each class run from {low} to "
        f"{high} here. Attention has one map for all classes, so it cannot say why the bold one was answered (after "
        "Jain and Wallace 2019); and where the two do agree, that proves neither." + _cautions(found)
    )


def _cautions(found: BesideCams) -> str:
    """What else a reader of the table must know: few places to put in order, and cells without a number."""
    h, w = min((*(m.values.shape[-2:] for m in found.maps), found.cam_size), key=lambda size: size[0] * size[1])
    said = f" With {h} × {w} places in the coarsest map, even large numbers come by chance." if h * w <= FEW else ""
    return said + (" A dash: one of the two maps is blank or flat." if found.likeness.isnan().any() else "")


def class_branches(face: Face, network: str) -> None:
    """What the branch of each class contributes; nothing for a network without class branches."""
    found = state.cached(("branches", face.key, network), lambda: services.attention.branches(face, network))
    if found is None:
        return
    st.subheader("What does each class branch say?")
    rows = [f"without the branch of {name}" for name in found.classes]
    chart = charts.change_table(rows, list(found.classes), found.change)
    charts.show(chart, "branches", "Change of every logit without one class branch")
    own = ", ".join(found.own) or "none"
    views.caption(
        "**How each logit (column) changes when the branch of one class (row) says nothing.** Classes whose own logit "
        f"then falls most: {own}. Only training ties a branch to its class: the fusion layer reads all of them."
    )


def equations(modules: tuple[Module, ...]) -> None:
    """The equation and the source of each quantity that the modules compute, each once."""
    shown = {(module.kind, m.equation): m for module in modules for m in module.maps}
    for found in shown.values():
        title = "each head" if found.title.startswith("head ") else found.title
        st.markdown(f"**{title.capitalize()}** ({found.source})")
        st.latex(found.equation)
