"""Sections of the page Compare: choice of networks, agreement in words, maps side by side, their difference."""

from __future__ import annotations

import streamlit as st

from workbench import services
from workbench.services.compare import SCALES, Comparison, MapPair, comparable, side_by_side

from . import charts, model_picker, page_content, url_state, views

MOST = 6  # networks
SIMILAR, DISSIMILAR = (
    0.7,
    0.3,
)  # rank correlation from which maps are called similar, below which dissimilar; our choice
_ALL = {2: "both", 3: "all three", 4: "all four", 5: "all five", 6: "all six"}


def choose_networks(first: str) -> tuple[str, ...]:
    """The chosen network and those that the visitor adds, at most `MOST`."""
    chosen = url_state.choose_by_name(
        "Networks to compare, up to six; the chosen one is always the first",
        services.networks.titles((*services.networks.network_names(), *services.networks.checkpoint_names())),
        list(side_by_side()),
        "networks",
        max_selections=MOST,
    )
    networks = (first, *comparable(first, [name for name in dict.fromkeys(chosen) if name != first]))
    if foreign := tuple(name for name in chosen if name not in networks):
        st.caption(f"{listed(foreign)}: left out, no class in common with {listed((first,))}.")
    if len(networks) > MOST:
        st.caption(f"{listed(networks[MOST:])} is left out: at most six are compared, the chosen network first.")
    return networks[:MOST]


def named(network: str) -> str:
    """Title of a network, with a mark if its weights are not included."""
    mark = "" if services.networks.is_trained(network) else f", {model_picker.NO_WEIGHTS}"
    return services.networks.get_spec(network).title + mark


def listed(networks: tuple[str, ...]) -> str:
    """Titles of networks as "A, B and C"."""
    names = [services.networks.get_spec(network).title for network in networks]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def agreement(found: Comparison) -> str:
    """Which networks predict which class, in a sentence."""
    trained = len(found.networks) - len(found.untrained)
    if trained < 2:
        return "**No agreement to measure:** this needs two trained networks."
    by_prediction = list(found.by_prediction.items())
    if len(by_prediction) == 1:
        return f"**The networks agree:** {_ALL[trained]} trained networks predict {by_prediction[0][0]}."
    parts = [f"{listed(camp)} {'predicts' if len(camp) == 1 else 'predict'} {class_}" for class_, camp in by_prediction]
    return f"**The networks disagree:** {'; '.join(parts)}."


def similarity(found: Comparison) -> str:
    """The most and the least similar maps for the class, in two or three sentences."""
    pairs = found.pairs
    if not pairs:
        return f"There are no two maps for {found.class_} to compare."
    best, worst = pairs[0], pairs[-1]
    if len(pairs) == 1:
        return f"**The maps for {found.class_}** are {_word(best)}."
    text = f"**Rank correlation of the maps for {found.class_}:** highest for {_both(best)}, {_word(best)}; lowest for "
    text += f"{_both(worst)}, {_word(worst)}."
    if worst.correlation < DISSIMILAR and list(found.by_prediction) == [found.class_]:
        text += " The same prediction, with maps that highlight different regions."
    return text


def _both(pair: MapPair) -> str:
    return listed((pair.first, pair.second))


def _word(pair: MapPair) -> str:
    rho = pair.correlation
    word = "similar" if rho >= SIMILAR else "dissimilar" if rho < DISSIMILAR else "partly similar"
    return f"{word} ({charts.hundredths(rho)})"


_SCALE = {
    "all classes": "One scale, from 0 to 1: the share of each network's own maximum over all classes.",
    "this class": "Each map has its own scale, from 0 to its maximum, which makes weak evidence look strong.",
    "all networks": "One scale in logits, which different networks use differently: a faint map is not weak evidence.",
}
_DIVIDED = {
    "all classes": "its network's maximum over all classes, so weak evidence for this class counts less",
    "this class": "its own maximum, so this compares regions, not strength",
    "all networks": "the maximum of all maps for this class, so a network with small logits counts less",
}


def choose_scale() -> str:
    """Let the visitor choose what the brightest color of a map stands for, one of `SCALES`."""
    help_ = "\n\n".join(f"*{name}*: {text}" for name, text in _SCALE.items())
    return views.choose_one("Brightest color: maximum over", SCALES, default=SCALES[0], key="scale", help=help_)


def maps(found: Comparison, scale: str) -> None:
    """Draw the maps of one class, three in a row, each with a caption."""
    tops = found.tops(scale)
    for start in range(0, len(found.networks), 3):
        for i, column in zip(range(start, min(start + 3, len(found.networks))), st.columns(3), strict=False):
            with column:
                _map(found, i, float(tops[i]), scale)
    views.caption(
        f"**{_SCALE[scale]}** Logits of different networks are not comparable, and a map does not prove that these "
        "pixels caused the prediction."
    )


def _map(found: Comparison, i: int, top: float, scale: str) -> None:
    network, explanation = found.networks[i], found.explanations[i]
    if explanation.layer is None:
        charts.show(
            charts.face(explanation.pixels, "no map"),
            f"map-{i}",
            f"The face without a map: {named(network)} has no layer of its own",
        )
        views.caption(f"**{named(network)}** has no layer of its own, so there is no map.")
        return
    heat, relative = explanation.map_of(found.class_), scale == "all classes" and top > 0
    unit = top if relative else 1.0
    charts.show(
        charts.face_with_map(explanation.pixels, heat / unit, top / unit, 0.75, "share" if relative else "logit"),
        f"map-{i}",
        f"Grad-CAM for {found.class_} over the face, {named(network)}",
    )
    share = charts.percent(float(found.probabilities[i, found.classes.index(found.class_)]))
    h, w = explanation.extent
    seen = f"**{named(network)}:** {found.class_} {share}"
    if float(heat.max()) == 0:
        views.caption(f"{seen}; the map is blank: no region of `{explanation.layer}` supports this class.")
    elif float(heat.max()) < 0.15 * top:
        views.caption(f"{seen}; the map is faint on the scale of {scale}{': weak evidence' if relative else ''}.")
    else:
        views.caption(
            f"{seen}. Brighter: stronger evidence in layer `{explanation.layer}` ({h} × {w}, resized), up to "
            f"{float(heat.max()):.2g} logits."
        )


@page_content.fragment
def differences(found: Comparison, scale: str) -> None:
    """Draw the difference of two maps over the face, and the rank correlations of all pairs as a table."""
    names = [name for name, e in zip(found.networks, found.explanations, strict=True) if e.layer]
    titles = services.networks.titles(names)
    if len(names) < 2:
        st.info("A difference needs two networks with maps.")
        return
    left, right = st.columns(2)
    first = url_state.choose_by_name("Red: the map of", titles, names[0], "red", left)
    second = url_state.choose_by_name("Blue: the map of", titles, names[1], "blue", right)
    more, less = titles[first], titles[second]
    picture, table = st.columns([1, 2])
    with picture:
        values = found.difference(first, second, scale)
        pixels = max((e.pixels for e in found.explanations), key=len)
        charts.show(
            charts.face_with_signed(pixels, values, "share"),
            "difference",
            f"Map for {found.class_} of {more} minus that of {less}",
        )
        views.caption(f"**Red: more in {more}; blue: more in {less}.** Each map is first divided by {_DIVIDED[scale]}.")
    with table:
        titles = [services.networks.get_spec(name).title.replace(" + ", "<br>+ ") for name in found.networks]
        charts.show(
            charts.correlation_table(titles, titles, found.correlation),
            "likeness",
            "Spearman correlation of the maps of each pair of networks",
        )
        views.caption(
            f"**Spearman correlation over pixels of the maps for {found.class_}.** From {SIMILAR} on maps are called "
            f"similar, below {DISSIMILAR} dissimilar. Coarse maps of one face correlate by chance too."
        )
