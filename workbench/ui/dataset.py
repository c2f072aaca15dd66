"""Sections of the page Dataset: classes, samples, annotators, duplicates and leakage, augmentation, class weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from models.datasets import DataError
from models.datasets.splits import named_splits
from models.text import thousands
from workbench import services
from workbench.services.dataset.class_imbalance import Augmenting, Weighting
from workbench.services.dataset.contents import Contents
from workbench.services.metrics.annotators import AnnotatorAgreement

from . import charts, fer2013_import, page_content, state, views

_SAMPLES = 12
_SIDE = 112  # of an image on the page, in pixels
_ENLARGED = 3  # times, every pixel a square


def choose() -> Contents:
    """Let the visitor choose a dataset; end the page if it cannot be opened."""
    left, _ = st.columns([2, 3])
    name = left.selectbox("Dataset", services.dataset.contents.set_names(), key="data", bind="query-params")
    try:
        with st.spinner(f"Opening {name}"):
            found = services.dataset.contents.contents(name)
    except DataError as error:
        st.warning(str(error))
        state.stop()
    if not services.dataset.contents.has_images(name):
        with st.expander(
            "Import FER2013 (below is what is known without its images)", expanded=fer2013_import.running()
        ):
            fer2013_import.offer()
    return found


def classes(found: Contents) -> None:
    """Draw the number of images per class and split (figure 6 of paper A)."""
    texts = {part: [thousands(n) for n in counts] for part, counts in found.counts.items()}
    titles = {part: f"{part}<br>{thousands(sum(counts))}" for part, counts in found.counts.items()}
    figure = charts.panels(
        {titles[part]: counts for part, counts in found.counts.items()},
        found.classes,
        {titles[part]: texts[part] for part in titles},
        "images; each panel has its own scale",
    )
    charts.show(figure, "classes", f"Images per class in each split of {found.name}")
    most, least = (pick(zip(found.training, found.classes, strict=True)) for pick in (max, min))
    largest, smallest = (f"{name} ({thousands(n)})" for n, name in (most, least))
    text = f"{largest} has {most[0] / max(least[0], 1):.1f} times the images of {smallest}"
    if most[0] == least[0]:
        text = f"each class has {thousands(most[0])} images"
    views.caption(
        f"**Class imbalance: in {found.counted}, {text}.** A network that never predicts a rare class loses little "
        "accuracy; per-class recall on the page Metrics shows it."
    )


def brightness(found: Contents) -> None:
    """Draw the histogram of gray values (figure 5 of paper A)."""
    if found.gray:
        charts.show(charts.intensities(found.gray), "gray", f"Histogram of gray values in each split of {found.name}")
    rows = ", ".join(f"{part} {mean:.1f} ± {std:.1f}" for part, (mean, std) in found.brightness.items())
    means = (
        "Splits with similar histograms can still differ in content."
        if found.gray
        else "These values normalize the input of a network. The histogram needs the images."
    )
    views.caption(f"**Mean ± standard deviation of the gray values, 0 to 255:** {rows}. {means}")


@page_content.fragment
def samples(found: Contents) -> None:
    """Draw some random images of one class."""
    class_ = state.choose_class(found.classes, found.classes[0], "Label")
    seed = st.session_state.setdefault("samples_seed", 0)
    pictures = services.dataset.contents.samples(found.name, class_, _SAMPLES, seed)
    with st.container(horizontal=True):
        for picture in pictures:
            st.image(enlarged(picture), width=_SIDE, alt=f"An image labeled {class_}")
    st.button("Other samples", on_click=_count_up, args=("samples_seed",), key="other-samples")
    views.caption(f"**{_SAMPLES} random images labeled {class_},** from all splits. They are not part of an export.")


def _count_up(key: str) -> None:
    st.session_state[key] += 1


def enlarged(picture: np.ndarray) -> np.ndarray:
    """A gray image (H, W) enlarged by nearest neighbor."""
    return picture.repeat(_ENLARGED, 0).repeat(_ENLARGED, 1)


def annotators(found: Sequence[AnnotatorAgreement], of: str) -> None:
    """Draw how often the majority of ten annotators agrees with the labels."""
    if not found:
        st.info("FER+ has no votes for these images: it covers FER2013, by its file names.")
        return
    kinds = {"majority<br>agrees": "agree", "majority for<br>another class": "other", "no<br>majority": "split"}
    columns = {title: [getattr(view, key)[0] for view in found] for title, key in kinds.items()}
    texts = {title: [charts.percent(value) for value in values] for title, values in columns.items()}
    names = tuple(view.class_ for view in found)
    figure = charts.panels(columns, names, texts, "share of the images with this label", top=1.0)
    charts.show(figure, "annotators", "Votes of ten annotators for the images with each label, as shares")
    worst = min(found, key=lambda view: view.agree[0])
    views.caption(
        f"**Of {thousands(worst.n_images)} images labeled {worst.class_}, the majority of ten FER+ annotators agrees "
        f"with the label for only {charts.with_interval(worst.agree)};** where another class has the majority, it is "
        f"most often {worst.most_other} ({of}). Annotators can be wrong too."
    )


def audit(found: Contents) -> None:
    """Draw duplicates, leakage and conflicting labels, measured after a click."""
    if found.name == services.dataset.contents.FER2013:
        known = [
            f"{thousands(k.near)} of {thousands(k.n_images)} in {k.part} ({thousands(k.exact)} exact duplicates)"
            for k in services.dataset.contents.known_leaks()
        ]
        views.caption(
            f"**Leakage: test images that are in the training set too (official split):** {'; '.join(known)}. The page "
            "Metrics shows their effect on accuracy."
        )
    if not services.dataset.contents.has_images(found.name):
        st.info("Finding duplicates and conflicting labels needs the images: import them above.")
        return
    container = st.empty()
    if not services.dataset.contents.is_examined(found.name):
        if not container.button("Find duplicates and leakage", type="primary", key="audit"):
            st.caption("Compares all pairs of images; takes some seconds for 36 000 images, then the result is cached.")
            return
        container.empty()
    steps = {"duplicates": (0.05, "Duplicates"), "near-duplicates": (0.2, "Near-duplicates"), "splits": (0.6, "Splits")}
    bar = st.progress(0.0, "Starting")
    result = services.dataset.contents.examine(
        found.name, lambda step: bar.progress(*steps.get(step, (0.5, step.capitalize())))
    )
    bar.empty()
    views.caption("\n".join(f"- {line}" for line in services.dataset.contents.findings(result)))
    head = "| split | training | validation | test | duplicates | near-duplicates | epoch chosen on test set |\n"
    rows = [
        f"| {k.split} | {k.training} | {k.validation} | {k.test} | {_of(k.exact, k.test)} | "
        f"**{_of(k.near, k.test)}** | {'yes' if k.chosen_on_test else 'no'} |"
        for k in result.leaks
    ]
    st.markdown(head + "|---|---:|---:|---:|---:|---:|---|\n" + "\n".join(rows))
    views.caption(
        "**Test images that are in the training set, for each split of this dataset:** exact duplicates, and "
        "near-duplicates (including exact ones; cropped, brightened or recompressed). How much leakage raised a "
        "paper's accuracy, only training shows."
    )


def _of(n: int, all_: int) -> str:
    return f"{n} ({charts.percent(n / all_)})"


def splits() -> None:
    """Draw a table of all named splits; needs no images."""
    rows = [f"| `{s.name}` | {s.paper or '–'} | {s.note} |" for s in named_splits()]
    st.markdown("| split | paper | description |\n|---|---|---|\n" + "\n".join(rows))


@page_content.fragment
def augmentation() -> None:
    """Draw versions of a face by one of the augmentations."""
    known = {a.name: a for a in services.dataset.class_imbalance.augmentations()}
    name = views.choose_one("Augmentation", known, default="paper-a", key="augmentation")
    face, seed = state.face(), st.session_state.setdefault("augmentation_seed", 0)
    picture = services.dataset.class_imbalance.drawn_face("happy") if face is None else face.gray(96)
    strip = services.dataset.class_imbalance.changed(picture, name, versions=5, seed=seed)
    st.image(strip.repeat(2, 0).repeat(2, 1), width="stretch", alt=f"The face and five versions by {name}")
    st.button("Sample again", on_click=_count_up, args=("augmentation_seed",), key="change-again")
    _explain(known[name], "a drawn face" if face is None else "the chosen face")


def _explain(found: Augmenting, what: str) -> None:
    of = f" (paper {found.paper})" if found.paper else ""
    steps = ", ".join(found.steps)
    views.caption(f"**First {what}, then five versions by `{found.name}`{of}:** {steps}. {found.note}")
    if found.no_effect:
        views.caption(f"**Listed in the paper, without effect here and left out:** {'; '.join(found.no_effect)}.")


def weights(found: Contents, known: Sequence[Weighting]) -> None:
    """Draw the share of the loss that each class gets under each weighting."""
    columns = {w.name: w.loss for w in known}
    texts = {name: [charts.percent(share) for share in loss] for name, loss in columns.items()}
    figure = charts.panels(columns, found.classes, texts, "share of the loss at equal loss per image", top=1.0)
    charts.show(figure, "weights", f"Share of the loss of each class by weighting: {', '.join(columns)}")
    views.caption(f"**{_largest(found, known)}** Only training shows which weighting improves a class.")
    rows = [f"| {w.name} | {' | '.join(f'{x:.2f}' for x in w.weights)} |" for w in known]
    head = f"| weights | {' | '.join(found.classes)} |\n|---|{'---:|' * len(found.classes)}\n"
    st.markdown(views.table(head + "\n".join(rows), together=4))
    st.markdown("\n".join(f"- **{w.name}**: {w.note}." for w in known))


def _largest(found: Contents, known: Sequence[Weighting]) -> str:
    """Which class gets most of the loss under the papers' weightings."""
    text, total = [], sum(found.training)
    for w in known:
        i = max(range(len(w.loss)), key=w.loss.__getitem__)
        if w.name in ("paper-c", "heavy"):
            pictures = charts.percent(found.training[i] / total)
            share = charts.percent(w.loss[i])
            text.append(f"{w.name} gives {found.classes[i]} ({pictures} of the images) {share} of the loss.")
    return " ".join(text) or "These weights give each class an equal share."
