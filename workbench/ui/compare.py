"""Sections of the page Compare: which networks, the verdict in words, maps side by side, where they differ."""

from __future__ import annotations

import streamlit as st

from workbench import services
from workbench.services.compare import Comparison, MapPair, side_by_side

from . import charts, page_content, views

MOST = 6  # networks
ALIKE, UNLIKE = 0.7, 0.3  # rank correlations: from here up maps are called alike, under that unlike; our choice
_ALL = {2: "both", 3: "all three", 4: "all four", 5: "all five", 6: "all six"}
SCALES = ("all classes", "this class")  # whose strongest value gets the brightest color


def choose_networks(first: str) -> tuple[str, ...]:
    """The network of the sidebar, then those that the visitor chooses beside it: at most `MOST`."""
    chosen = st.multiselect(
        "Networks to compare, up to six; the sidebar's is always the first",
        (*services.networks.network_names(), *services.networks.checkpoint_names()),
        default=side_by_side(),
        max_selections=MOST,
        key="networks",
        bind="query-params",
    )
    networks = tuple(dict.fromkeys((first, *chosen)))
    if len(networks) > MOST:
        st.caption(
            f"{listed(networks[MOST:])} is left out: six fit, and the network of the sidebar is always the first."
        )
    return networks[:MOST]


def named(network: str) -> str:
    """A network as this page calls it."""
    mark = "" if services.networks.is_trained(network) else ", random weights"
    return services.networks.get_spec(network).title + mark


def listed(networks: tuple[str, ...]) -> str:
    """A, B and C."""
    names = [services.networks.get_spec(network).title for network in networks]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def agreement(found: Comparison) -> str:
    """Who answers what, in a sentence."""
    trained = len(found.networks) - len(found.untrained)
    if trained < 2:
        return "**Nothing to agree on:** two trained networks are needed, because random weights answer nothing."
    camps = list(found.camps.items())
    if len(camps) == 1:
        return f"**They agree:** {_ALL[trained]} trained networks answer {camps[0][0]}."
    told = [f"{listed(camp)} {'answers' if len(camp) == 1 else 'answer'} {answer}" for answer, camp in camps]
    return f"**They do not agree:** {'; '.join(told)}."


def likeness(found: Comparison) -> str:
    """Whose maps for the class are the most alike, and whose the least, in two or three sentences."""
    pairs = found.pairs
    if not pairs:
        return f"For {found.class_} there are no two maps to compare."
    best, worst = pairs[0], pairs[-1]
    if len(pairs) == 1:
        return f"**Their maps for {found.class_}** are {_word(best)}."
    told = f"**Maps for {found.class_}:** the most alike are those of {_both(best)}, {_word(best)}; the least alike "
    told += f"those of {_both(worst)}, {_word(worst)}."
    if worst.likeness < UNLIKE and list(found.camps) == [found.class_]:
        told += " One answer, and maps that point to different places."
    return told


def _both(pair: MapPair) -> str:
    return listed((pair.first, pair.second))


def _word(pair: MapPair) -> str:
    word = "alike" if pair.likeness >= ALIKE else "unlike" if pair.likeness < UNLIKE else "partly alike"
    return f"{word} ({charts.hundredths(pair.likeness)})"


_BRIGHTEST = {
    True: "The brightest color is each network's strongest value over all classes.",
    False: "The brightest color is each network's strongest value for this class.",
}
_DIVIDED = {
    True: "its network's strongest value over all classes, so one that is weak for this class counts less",
    False: "its own strongest value, so this compares places, not strength",
}


def maps(found: Comparison, over_classes: bool) -> None:
    """The maps of one class, three in a row, each with what is to be seen."""
    tops = found.tops(over_classes)
    for start in range(0, len(found.networks), 3):
        for i, column in zip(range(start, min(start + 3, len(found.networks))), st.columns(3), strict=False):
            with column:
                _map(found, i, float(tops[i]))
    views.caption(
        "**Different maps do not mean that one of them is wrong,** nor like ones that both are right: a map shows what "
        "one layer and the gradient say together, and not that these pixels decided. "
        f"{_BRIGHTEST[over_classes]} Brightness is not comparable between networks."
    )


def _map(found: Comparison, i: int, top: float) -> None:
    network, explanation = found.networks[i], found.explanations[i]
    if explanation.layer is None:
        charts.show(charts.face(explanation.pixels, "no map"), f"map-{i}", f"The face; {network} has no map")
        views.caption(f"**{named(network)}** has no layer of its own whose maps could be shown.")
        return
    heat = explanation.map_of(found.class_)
    charts.show(
        charts.face_with_map(explanation.pixels, heat, top, 0.75), f"map-{i}", f"Grad-CAM for {found.class_}, {network}"
    )
    share = charts.percent(float(found.probabilities[i, found.classes.index(found.class_)]))
    h, w = explanation.extent
    seen = f"**{named(network)}** gives {found.class_} {share}"
    if float(heat.max()) == 0:
        views.caption(f"{seen}; its map is blank: no place of `{explanation.layer}` speaks for it.")
    elif float(heat.max()) < 0.15 * top:
        views.caption(f"{seen}; on the scale of all its classes the map is faint: hardly anything speaks for it.")
    else:
        views.caption(f"{seen}. The map highlights where `{explanation.layer}` ({h} × {w}, enlarged) speaks for it.")


@page_content.fragment
def differences(found: Comparison, over_classes: bool) -> None:
    """The difference of two maps over the face, and the likeness of every two as a table."""
    names = [name for name, e in zip(found.networks, found.explanations, strict=True) if e.layer]
    if len(names) < 2:
        return
    st.subheader("Where do they differ?")
    left, right = st.columns(2)
    first = left.selectbox("Red: the map of", names, 0, key="red", bind="query-params")
    second = right.selectbox("Blue: the map of", names, 1, key="blue", bind="query-params")
    picture, table = st.columns([1, 2])
    with picture:
        values = found.difference(first, second, over_classes)
        pixels = max((e.pixels for e in found.explanations), key=len)
        charts.show(
            charts.face_with_signed(pixels, values, "share"), "difference", f"Map of {first} less that of {second}"
        )
        more, less = (services.networks.get_spec(name).title for name in (first, second))
        views.caption(
            f"**Red: more in {more}; blue: more in {less}.** Each map is first divided by {_DIVIDED[over_classes]}. "
            "Neither map is the right one."
        )
    with table:
        titles = [services.networks.get_spec(name).title.replace(" + ", "<br>+ ") for name in found.networks]
        charts.show(charts.correlation_table(titles, titles, found.likeness), "likeness", "Likeness of every two maps")
        views.caption(
            f"**How alike the maps for {found.class_} are:** rank correlation of all places, 1 for the same order, 0 "
            f"for none in common. Here {ALIKE} and more is called alike, less than {UNLIKE} unlike; coarse maps over "
            "one face resemble each other by chance too, so a high number is no proof of one reason."
        )
