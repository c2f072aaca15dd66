"""Sections of the page Attention: one module, all modules, ablations, and attention compared with Grad-CAM."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import streamlit as st
from torch import Tensor

from workbench import navigation, services
from workbench.analysis.attention import AttentionMap, kinds_in
from workbench.faces import Face
from workbench.services.attention import AttentionModules, CamCorrelation, Module
from workbench.services.gates import Gates

from . import charts, gates, model_picker, state, views

FEW = 25  # positions: by chance one rank correlation in twenty is beyond ±0.4, with nine positions beyond ±0.7


def network_to_show(chosen: str) -> str:
    """The chosen network, or where it has no attention the best one that has; a note says what is shown."""
    spec = services.networks.get_spec(chosen)
    if spec.attention_layers:
        return chosen
    if spec.attention:
        st.info(f"The attention of {spec.title} ({spec.attention}) is channel attention inside its blocks: no maps.")
        return chosen
    found = state.shown_instead(services.attention.default_network_with_attention(), "attention modules")
    with st.expander("Other networks with attention"):
        _offer()
    return found


def _offer() -> None:
    """Draw a button for the best network of each kind of attention."""
    shown: dict[str, str] = {}  # of each kind the first, so a trained one where there is one
    for name in services.attention.networks_with_attention():
        shown.setdefault(services.networks.get_spec(name).attention, name)
    for i, (kind, name) in enumerate(shown.items()):
        button, text = st.columns([1, 2], vertical_alignment="center")
        title, weights = (
            services.networks.get_spec(name).title,
            "" if services.networks.is_trained(name) else f" {model_picker.NO_WEIGHTS.capitalize()}.",
        )
        look = {"width": "stretch", "type": "primary" if i == 0 else "secondary"}
        state.network_button(f"Choose {title}", name, button, key=f"choose-{name}", **look)
        ideas = "; ".join(f"{found.idea} ({found.source})" for found in kinds_in(kind))
        text.markdown(f"**{kind[0].upper()}{kind[1:]}:** {ideas}.{weights}")


def label(number: int, module: Module) -> str:
    """Label of a module: its number in the forward pass and its kind."""
    return f"{number + 1} {module.kind.label}"


def labels(modules: tuple[Module, ...]) -> dict[str, str]:
    """Name of each module → its label."""
    return {module.layer: label(i, module) for i, module in enumerate(modules)}


def choose_module(found: AttentionModules) -> Module:
    """Let the visitor choose one of the modules, in the order of the forward pass."""
    labels = [label(i, module) for i, module in enumerate(found.modules)]
    if st.session_state.get("module", labels[0]) not in labels:
        st.session_state["module"] = labels[0]  # it was chosen for another network
    chosen = views.choose_one("Module, in the order of the forward pass", labels, default=labels[0], key="module")
    return found.modules[labels.index(chosen)]


def gate(found: AttentionModules, module: Module, whole: bool, measured: Gates | None) -> None:
    """Draw the spatial weights over the face, what they do, and whether they depend on the input.

    Args:
        found: all modules on the face.
        module: the one to draw.
        whole: whether colors span 0 to 1, not the smallest to the largest weight.
        measured: statistics of the gates.
    """
    weights = module.gate.values[0]
    low, high = (0.0, 1.0) if whole and not module.heads else tuple(float(end) for end in weights.aminmax())
    unit = "share" if module.heads else "weight"
    figure = charts.weights_over_face(found.pixels, found.over_face(weights), unit, low, high)
    charts.show(
        figure, "gate", f"Attention weights of module {module.layer} over the face, {unit} {low:.2g} to {high:.2g}"
    )
    h, w = weights.shape
    digits = 3 if module.heads else 2  # shares of N positions are small
    lowest, highest = (f"{float(end):.{digits}f}" for end in weights.aminmax())
    reach = f"from {lowest} to {highest}" if lowest != highest else f"{lowest} everywhere"
    faint = not module.heads and float(weights.max() - weights.min()) < 0.25
    stretched = "the colors span only this range" if not whole else "*Map settings* can stretch the colors"
    views.caption(
        f"**{module.gate.title.capitalize()}**, {h} × {w}, resized, {reach}. "
        + (f"The weights differ little; {stretched}. " if faint else "")
        + f"{module.kind.effect}. A high weight does not mean that the prediction depends on the region."
    )
    gates.beside_map(measured, module.layer)


def steps(module: Module, by_number: bool) -> None:
    """Draw what else a module computes besides its spatial weights; channels sorted by number or by weight."""
    _LAYOUTS[module.kind.layout](module, by_number)
    if module.kind.page:
        st.page_link(navigation.FOLDER / module.kind.page, label=f"Each step of {module.kind.label} attention")


def _steps(module: Module, by_number: bool) -> None:
    """The intermediate steps that the module's kind names, side by side."""
    for column, step in zip(st.columns(len(module.kind.steps)), module.kind.steps, strict=True):
        with column:
            found = module.named(step.title)
            if found.over == "channels":
                _channels(found, by_number)
            else:
                charts.show(charts.signed(found.values[0], "value"), step.title, f"{step.title} of {module.layer}")
                views.caption(f"**{step.title.capitalize()}:** {step.text}")


def _channels(found: AttentionMap, by_number: bool) -> None:
    weights, unit = found.values[0], found.unit or "weight"
    charts.show(
        charts.channel_weights(weights, unit, found.limits, by_number), "channels", f"{found.title} of {found.layer}"
    )
    most, least = int(weights.argmax()), int(weights.argmin())
    highest, lowest = (charts.hundredths(float(weights[i])) for i in (most, least))
    views.caption(
        f"**{found.title.capitalize()}**, {len(weights)} channels: channel {most} has the largest value ({highest}), "
        f"{least} the smallest ({lowest}). The weight does not tell which pattern a channel detects."
    )


def _angles(module: Module, _by_number: bool) -> None:
    left, right = st.columns(2)
    degrees = module.named("angle with the strongest response").values[0]
    with left:
        turns, counts = degrees.unique(return_counts=True)
        charts.show(charts.winning_angles(degrees), "angles", "Angle with the strongest response at each position")
        first = int(counts.argmax())
        views.caption(
            f"**Angle with the strongest response:** most often {turns[first]:g}°, at "
            f"{charts.percent(float(counts[first]) / degrees.numel())} of positions. It is the rotation of a learned "
            "kernel, not of the head."
        )
    with right:
        values = module.named("response at that angle").values[0]
        charts.show(
            charts.strength(values, "response", *values.aminmax()),
            "response",
            "Response at the angle with the strongest response, at each position",
        )
        views.caption(
            "**Response at that angle.** The gate is computed from the mean and the maximum over all angles, so a "
            "strong response does not imply a high weight."
        )


def _heads(module: Module, _by_number: bool) -> None:
    pairs: Tensor = module.heads[0].pairs[0]  # (N, N)
    h, w = module.gate.values.shape[-2:]
    mean = st.toggle("Mean over all query positions", value=True, key="mean", bind="query-params")
    mark = None
    if not mean:
        left, right = st.columns(2)
        row = left.slider("Row of the query position", 1, h, (h + 1) // 2, key="row", bind="query-params") - 1
        column = right.slider("Column", 1, w, (w + 1) // 2, key="column", bind="query-params") - 1
        mark = (row, column)
    maps = {
        head.title: head.values[0] if mark is None else head.pairs[0, mark[0] * w + mark[1]].reshape(h, w)
        for head in module.heads
    }
    high = max(float(values.max()) for values in maps.values())
    chart = charts.small_maps(maps, 0.0, high, "attention weight", mark=mark)
    charts.show(chart, "heads", f"Attention of each head: {', '.join(maps)}")
    query = "averaged over all query positions" if mark is None else "of the query position with the cross"
    views.caption(
        f"**Attention of the {len(maps)} heads, {query}:** it sums to 1, on one scale; uniform attention would be "
        f"{1 / len(pairs):.3f}. {_peaks(maps)}"
    )


def _peaks(maps: dict[str, Tensor]) -> str:
    """The position with the largest attention in most heads, in a sentence."""
    positions = Counter(divmod(int(values.argmax()), values.shape[1]) for values in maps.values())
    (row, column), count = positions.most_common(1)[0]
    if count == 1:
        return "Each head has its maximum at a different position."
    who = f"All {count} heads have" if count == len(maps) else f"{count} of {len(maps)} heads have"
    return f"{who} the maximum at the same position, row {row + 1}, column {column + 1}."


_LAYOUTS = {"steps": _steps, "angles": _angles, "heads": _heads}


def all_modules(modules: tuple[Module, ...], whole: bool) -> None:
    """Draw the spatial weights of every module as small maps on one scale; nothing for a single module."""
    maps = {label(i, module): module.gate.values[0] for i, module in enumerate(modules) if not module.heads}
    if len(maps) < 2:
        return
    low = 0.0 if whole else min(float(values.min()) for values in maps.values())
    high = 1.0 if whole else max(float(values.max()) for values in maps.values())
    means = {name: float(values.mean()) for name, values in maps.items()}
    most, least = max(means, key=means.get), min(means, key=means.get)

    def draw() -> None:
        chart = charts.small_maps(maps, low, high, "weight")
        charts.show(chart, "all", f"Attention weights of each module: {', '.join(maps)}")
        views.caption(
            f"**Spatial weights of each module, from input to output.** Module {most} has the largest mean weight "
            f"({means[most]:.2f}), module {least} the smallest ({means[least]:.2f}). The tab *Ablation* tests "
            "whether it matters."
        )

    views.folded("All modules", "all-open", draw)


def cam_correlation(face: Face, network: str, modules: tuple[Module, ...]) -> None:
    """Draw the rank correlations between attention maps and the Grad-CAM of each class."""
    found = state.cached(("beside", face.key, network), lambda: services.attention.cam_correlation(face, network))
    names = {module.layer: label(i, module) for i, module in enumerate(modules)}
    columns = [f"<b>{name}</b>" if name == found.predicted else name for name in found.classes]
    rows = [names[m.layer] + (f", {m.title}" if m.pairs is not None else "") for m in found.maps]
    charts.show(
        charts.correlation_table(rows, columns, found.correlation),
        "beside",
        "Spearman correlation of attention maps with Grad-CAM for each class",
    )
    if found.extent is None:
        views.caption("**Every map is blank or constant,** so there is no correlation to compute.")
        return
    low, high = (charts.hundredths(end) for end in found.extent)
    views.caption(
        "**Attention is not explanation** by itself (Jain and Wallace 2019; Wiegreffe and Pinter 2019 disagree in "
        f"part). Rank correlations with the Grad-CAM of each class run from {low} to {high}. Attention is one map "
        "for all classes, so it cannot tell why the bold class was "
        "predicted." + _cautions(found)
    )


def _cautions(found: CamCorrelation) -> str:
    """Limits of the table: few positions to rank, and cells without a number."""
    h, w = min((*(m.values.shape[-2:] for m in found.maps), found.cam_size), key=lambda size: size[0] * size[1])
    few = f" With {h} × {w} positions in the coarsest map, large values occur by chance." if h * w <= FEW else ""
    return few + (" A dash: one of the two maps is blank or constant." if found.correlation.isnan().any() else "")


def equations(maps: Iterable[AttentionMap]) -> str:
    """The equation and the source of each quantity, each once though several heads have it, in Markdown."""
    return "\n\n".join(map(_equation, {(one.source, one.equation): one for one in maps}.values()))


def _equation(found: AttentionMap) -> str:
    title = "each head" if found.title.startswith("head ") else found.title
    return f"**{title.capitalize()}** ({found.source})\n\n$$\n{found.equation}\n$$"
