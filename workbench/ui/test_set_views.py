"""Sections of the page Metrics that show a whole test set: mean maps, and the embedding of its features."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import islice

import streamlit as st
import torch

from models.checkpoints import CheckpointError
from models.text import counted, percentage, thousands
from workbench import services
from workbench.faces import Face
from workbench.services.metrics.paired_tests import Disagreement
from workbench.services.metrics.test_set_views import Embedding, MeanMaps, difference, of_group

from . import charts, robustness, url_state, views

_ALL = "all classes"
_KINDS = {"PCA": "pca", "t-SNE": "tsne"}
_COLORS = ("label", "prediction", "error", "annotator entropy")
_AXES = {"pca": ("first component", "second component"), "tsne": ("t-SNE 1", "t-SNE 2")}


def mean_maps(names: list[str]) -> None:
    """Draw the mean maps of each network over right and wrong predictions, and how those of two differ."""
    found: dict[str, MeanMaps] = {}
    for name in names:
        try:
            found[name] = services.metrics.test_set_views.mean_maps(name)
        except (CheckpointError, ValueError) as error:
            st.caption(str(error))
    if not found:
        st.info("No chosen checkpoint has mean maps. Import FER2013, then run `ferscope refresh --only maps`.")
        return
    left, right = st.columns(2)
    classes = services.metrics.evaluation.scores(next(iter(found))).card.classes
    class_ = left.selectbox("Predicted class", (_ALL, *classes), key="mean-class", bind="query-params")
    what = views.choose_one("Show", ("mean", "deviation"), default="mean", key="mean-of", container=right)
    index = None if class_ == _ALL else classes.index(class_)
    groups = {
        (name, correct): of_group(maps, index, correct) for name, maps in found.items() for correct in (True, False)
    }
    names = services.networks.titles(found)
    titled = {
        f"{names[name]}<br>{'correct' if correct else 'wrong'}, {thousands(one.count)}": getattr(one, what)
        for (name, correct), one in groups.items()
        if one.count
    }
    top = max((float(values.max()) for values in titled.values()), default=1.0)
    each = "; ".join(title.replace("<br>", ", ") for title in titled)
    alt = f"{what.capitalize()} of the maps for {class_} over the test set: {each}"
    unit = "share of the maximum"
    charts.show(charts.small_maps(titled, 0.0, top, unit, outline=True), "mean-maps", alt)
    sample = next(iter(found.values())).sample
    views.caption(
        f"**{what.capitalize()} of the Grad-CAM of the predicted class** over {sample.text}, each divided by its "
        "maximum, by network and correctness. Faces are only roughly aligned, so a mean blurs; the drawn "
        "outline is schematic."
    )
    if len(found) > 1:
        _difference(groups, dict(islice(names.items(), 2)), class_)


def _difference(groups: dict, titles: Mapping[str, str], class_: str) -> None:
    one, other = (groups[name, True] for name in titles)
    first, second = titles.values()
    if not (one.count and other.count):
        return
    left, right = st.columns([1, 2])
    with left:
        change = difference(one.mean, other.mean)
        alt = f"Mean map for {class_} of {first} minus that of {second}"
        charts.show(charts.signed(change, "difference"), "mean-difference", alt)
    right.markdown(f"**Difference between the first two networks** (correct predictions, {class_}).")
    with right:
        views.caption(
            f"Red: {first} has the stronger mean map; blue: {second}. Maps of different layers differ in "
            "sharpness, which alone causes a border of one color."
        )


def embedding(name: str, face: Face | None) -> None:
    """Draw the features of the test set in two dimensions, and what a lasso holds."""
    left, right = st.columns(2)
    kind = _KINDS[views.choose_one("Two dimensions by", _KINDS, default="PCA", key="embedding", container=left)]
    color = views.choose_one("Color", _COLORS, default="label", key="color", container=right)
    try:
        found = services.metrics.test_set_views.embedding(name, kind, face)
    except (CheckpointError, ValueError) as error:
        st.info(str(error))
        return
    chosen = charts.show_to_select(_figure(found, color, kind), "scatter", f"Features of {found.part}, by {color}")
    title = services.networks.get_spec(name).title
    how = f"{percentage(found.kept, 0)} of their variance" if kind == "pca" else "neighborhoods, not distances"
    star = " The star is the chosen face." if found.face is not None else ""
    views.caption(
        f"**{thousands(len(found.ids))} images of {found.part}: the features before the last layer of {title},** in "
        f"two dimensions that keep {how}.{star} Draw a lasso around points to see what they are."
    )
    if chosen:
        _selected(found, set(chosen))


def _figure(found: Embedding, color: str, kind: str):
    axes, common = _AXES[kind], [str(id_) for id_ in found.ids]
    if color == "annotator entropy":
        return charts.scatter_by_value(found.points, found.entropy, common, axes, found.face, "entropy, nats")
    if color == "error":
        wrong = (found.labels != found.predicted).long()
        return charts.scatter_by_class(found.points, wrong, ("correct", "wrong"), common, axes, found.face)
    groups = found.labels if color == "label" else found.predicted
    return charts.scatter_by_class(found.points, groups, found.classes, common, axes, found.face)


def _selected(found: Embedding, ids: set[str]) -> None:
    """Draw the confusion of the images in the lasso, and the images where their set is imported."""
    mask = torch.tensor([str(id_) in ids for id_ in found.ids])
    labels, predicted = found.labels[mask].tolist(), found.predicted[mask].tolist()
    pairs = Counter((found.classes[a], found.classes[b]) for a, b in zip(labels, predicted, strict=True))
    wrong = sum(n for (label, guess), n in pairs.items() if label != guess)
    st.markdown(f"**{counted(len(labels), 'image is', 'images are')} in the lasso, {wrong} misclassified.**")
    rows = [f"| {label} | {guess} | {n} |" for (label, guess), n in pairs.most_common(12)]
    st.markdown("\n".join(["| label | predicted class | images |", "|---|---|---:|", *rows]))
    images([str(id_) for id_, inside in zip(found.ids, mask.tolist(), strict=True) if inside][:12])


def images(ids: list[str]) -> None:
    """Draw the images with these ids, where a set that has them is imported; else say that it is not."""
    set_, known = services.metrics.confusion.thumbnails(ids)
    if not known:
        st.caption("The images are not imported here: import FER2013 on the page Dataset. IDs: " + ", ".join(ids[:6]))
        return
    with st.container(horizontal=True):
        for id_, pixels in known.items():
            st.image(pixels.repeat(3, 0).repeat(3, 1), width=96, alt=f"Test image {id_} of {set_}")


def curves(first: str, second: str) -> None:
    """Draw the accuracy of two networks against the cut-off of two filters and the angle, where both are measured."""
    surveys = [robustness.survey_of(name) for name in (first, second)]
    known = [survey.found.curves if survey.found else {} for survey in surveys]
    both = [name for name in ("low-pass", "high-pass", "rotation") if all(name in curves for curves in known)]
    for name in both:
        st.markdown(f"**{robustness.CORRUPTIONS[name].title}**")
        robustness.accuracy(surveys, name, f"pair-{name}")
    if both:
        views.caption(f"**Where the two differ under perturbations:** accuracy on {robustness.measured_on(surveys)}")


def disagreements(found: tuple[Disagreement, ...], first: str, second: str) -> None:
    """Draw, by label, how many images exactly one of two networks classifies correctly, and some of them."""
    if not found:
        st.info("No image is classified correctly by exactly one of the two.")
        return
    titles = services.networks.titles((first, second))
    by_label = {name: [one for one in found if one.label == name] for name in dict.fromkeys(d.label for d in found)}
    rows = [
        f"| {name} | {sum(d.first_right for d in of)} | {sum(not d.first_right for d in of)} |"
        for name, of in sorted(by_label.items())
    ]
    head = f"| label | only {titles[first]} correct | only {titles[second]} correct |\n|---|---:|---:|"
    st.markdown("\n".join([head, *rows]))
    right = url_state.choose_by_name("Correct by", titles, first, "right-by", st.columns([2, 3])[0])
    chosen = [one for one in found if one.first_right == (right == first)]
    with st.expander(f"{counted(len(chosen), 'image')} that only {titles[right]} classifies correctly"):
        images([one.id for one in chosen[:12]])
        st.dataframe(
            {
                "id": [one.id for one in chosen],
                "label": [one.label for one in chosen],
                titles[first]: [one.first for one in chosen],
                titles[second]: [one.second for one in chosen],
            },
            hide_index=True,
        )
