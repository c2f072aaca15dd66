"""Sections of the page Data: what is in a set, what is wrong with it, what the papers did about it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from models.datasets import DataError
from models.datasets.splits import named_splits
from workbench import services
from workbench.services.dataset.class_imbalance import Augmenting, Weighting
from workbench.services.dataset.contents import Contents
from workbench.services.metrics.annotators import RaterView

from . import charts, page_content, state, views

_NOT_IMPORTED = (
    "The pictures of FER2013 are not imported here. In a terminal: `ferscope data import SOURCE`, where SOURCE is the "
    "archive, the folder or the CSV. What can be said without them is below."
)
_SAMPLES = 12
_SIDE = 112  # of a picture on the page, in pixels
_ENLARGED = 3  # times, every pixel a square


def choose() -> Contents:
    """The set that the visitor chose; ends the page where it cannot be opened."""
    left, _ = st.columns([2, 3])
    name = left.selectbox("Set", services.dataset.contents.set_names(), key="data", bind="query-params")
    try:
        with st.spinner(f"Opening {name}"):
            found = services.dataset.contents.contents(name)
    except DataError as error:
        st.warning(str(error))
        state.stop()
    if not services.dataset.contents.has_pictures(name):
        st.info(_NOT_IMPORTED)
    return found


def classes(found: Contents) -> None:
    """Pictures of each class in each part (figure 6 of paper A)."""
    texts = {part: [f"{n:,}".replace(",", " ") for n in counts] for part, counts in found.counts.items()}
    titles = {part: f"{part}<br>{sum(counts):,}".replace(",", " ") for part, counts in found.counts.items()}
    figure = charts.panels(
        {titles[part]: counts for part, counts in found.counts.items()},
        found.classes,
        {titles[part]: texts[part] for part in titles},
        "pictures; each panel to its own scale",
    )
    charts.show(figure, "classes", f"Pictures of each class in each part of {found.name}")
    most, least = (pick(zip(found.training, found.classes, strict=True)) for pick in (max, min))
    told = f"{most[1]} ({most[0]}) has {most[0] / max(least[0], 1):.1f} times the pictures of {least[1]} ({least[0]})"
    if most[0] == least[0]:
        told = f"each class has {most[0]} pictures"
    views.caption(
        f"**In the part {found.counted}, {told}.** A network that never answers a rare class loses little accuracy; "
        "whether one learned to do so, the page Metrics shows. Each picture has one label, also where people would "
        "disagree."
    )


def brightness(found: Contents) -> None:
    """How often each gray value is (figure 5 of paper A)."""
    if found.gray:
        charts.show(charts.intensities(found.gray), "gray", f"Share of the gray values in each part of {found.name}")
    rows = ", ".join(f"{part} {mean:.1f} ± {std:.1f}" for part, (mean, std) in found.brightness.items())
    means = (
        "Parts whose curves lie on each other were taken alike; that they are alike in who and what they show does not "
        "follow."
        if found.gray
        else "This is what a network subtracts and divides by; how the values are spread, only the pictures can tell."
    )
    views.caption(f"**Mean ± standard deviation of the gray values, of 255:** {rows}. {means}")


@page_content.fragment
def samples(found: Contents) -> None:
    """Some pictures of one class, drawn at random."""
    class_ = state.choose_class(found.classes, found.classes[0], "Pictures labeled")
    seed = st.session_state.setdefault("samples_seed", 0)
    pictures = services.dataset.contents.samples(found.name, class_, _SAMPLES, seed)
    with st.container(horizontal=True):
        for picture in pictures:
            st.image(enlarged(picture), width=_SIDE, alt=f"A picture labeled {class_}")
    st.button("Draw others", on_click=_count_up, args=("samples_seed",), key="other-samples")
    views.caption(
        f"**Drawn at random from all parts, all labeled {class_}.** Twelve pictures are an impression, no statistic; "
        "they are shown here only and kept nowhere."
    )


def _count_up(key: str) -> None:
    st.session_state[key] += 1


def enlarged(picture: np.ndarray) -> np.ndarray:
    """A gray picture (H, W) made larger, every pixel a square."""
    return picture.repeat(_ENLARGED, 0).repeat(_ENLARGED, 1)


def raters(found: Sequence[RaterView], of: str) -> None:
    """How far ten raters agree with the labels."""
    if not found:
        st.info("None of these pictures has votes in FER+: they are for FER2013, with its own file names.")
        return
    kinds = {"raters<br>agree": "agree", "raters say<br>another": "other", "no<br>majority": "split"}
    columns = {title: [getattr(view, key)[0] for view in found] for title, key in kinds.items()}
    texts = {title: [charts.percent(value) for value in values] for title, values in columns.items()}
    names = tuple(view.class_ for view in found)
    figure = charts.panels(columns, names, texts, "share of the pictures with this label", top=1.0)
    charts.show(figure, "raters", "What ten raters said of the pictures with each label")
    worst = min(found, key=lambda view: view.agree[0])
    views.caption(
        f"**Of the {worst.pictures} pictures labeled {worst.class_}, more than half of ten raters say so in only "
        f"{charts.with_interval(worst.agree)};** where they agree on something else, it is most often "
        f"{worst.most_other}. FER+'s votes, {of}. A network that follows such labels is taught what few people see; "
        "the raters are no truth either."
    )


def audit(found: Contents) -> None:
    """Copies, leaks and contradictions, when the visitor asks for them."""
    if found.name == services.dataset.contents.FER2013:
        known = [
            f"{k.near} of {k.pictures} in {k.part} ({k.exact} pixel by pixel)"
            for k in services.dataset.contents.known_leaks()
        ]
        views.caption(
            f"**Test pictures that sit in Training too, of the official split:** {'; '.join(known)}. The list ships "
            "with the project; the page Metrics shows what they do to an accuracy."
        )
    if not services.dataset.contents.has_pictures(found.name):
        st.info("Looking for copies and contradicting labels needs the pictures. `ferscope data import SOURCE`")
        return
    place = st.empty()
    if not services.dataset.contents.is_examined(found.name):
        if not place.button("Look for copies and leaks", type="primary", key="audit"):
            st.caption("Compares every picture with every other; some seconds for 36 000 pictures, then remembered.")
            return
        place.empty()
    steps = {"copies": 0.05, "near copies": 0.2, "splits": 0.6}
    bar = st.progress(0.0, "Looking")
    result = services.dataset.contents.examine(
        found.name, lambda step: bar.progress(steps.get(step, 0.5), f"Looking at {step}")
    )
    bar.empty()
    views.caption("\n".join(f"- {line}" for line in services.dataset.contents.findings(result)))
    head = "| split | training | validation | test | copies | near copies | epoch chosen on test |\n"
    rows = [
        f"| {k.split} | {k.training} | {k.validation} | {k.test} | {_of(k.exact, k.test)} | "
        f"**{_of(k.near, k.test)}** | {'yes' if k.chosen_on_test else 'no'} |"
        for k in result.leaks
    ]
    st.markdown(head + "|---|---:|---:|---:|---:|---:|---|\n" + "\n".join(rows))
    views.caption(
        "**Test pictures that sit in training, for every split that this set can be divided by:** copies have the same "
        "pixels, near copies that or nearly so (cut, brightened, compressed again). A high share means that a test "
        "partly asks what was learned by heart; how much that lifted a paper's figure, only a training can tell."
    )


def _of(n: int, all_: int) -> str:
    return f"{n} ({charts.percent(n / all_)})"


def splits() -> None:
    """Every named split with its note; needs no pictures."""
    rows = [f"| `{s.name}` | {s.paper or 'ours or public'} | {s.note} |" for s in named_splits()]
    st.markdown("| split | paper | what it is |\n|---|---|---|\n" + "\n".join(rows))


@page_content.fragment
def augmentation() -> None:
    """What a paper's augmentation makes of a face."""
    known = {a.name: a for a in services.dataset.class_imbalance.augmentations()}
    name = views.choose_one("Augmentation", known, default="paper-a", key="augmentation")
    face, seed = state.face(), st.session_state.setdefault("augmentation_seed", 0)
    picture = services.dataset.class_imbalance.drawn_face("happy") if face is None else face.gray(96)
    strip = services.dataset.class_imbalance.changed(picture, name, versions=5, seed=seed)
    st.image(strip.repeat(2, 0).repeat(2, 1), width="stretch", alt=f"The face, and five versions of it by {name}")
    st.button("Change again", on_click=_count_up, args=("augmentation_seed",), key="change-again")
    _explain(known[name], "a drawn face" if face is None else "the face in the sidebar")


def _explain(found: Augmenting, what: str) -> None:
    of = f" (paper {found.paper})" if found.paper else ""
    views.caption(f"**First {what}, then what `{found.name}`{of} makes of it:** {', '.join(found.steps)}. {found.note}")
    if found.no_effect:
        views.caption(f"**Listed in the paper, without effect here, left out:** {'; '.join(found.no_effect)}.")


def weights(found: Contents, known: Sequence[Weighting]) -> None:
    """Which class gets how much of the loss."""
    columns = {w.name: w.loss for w in known}
    texts = {name: [charts.percent(share) for share in loss] for name, loss in columns.items()}
    figure = charts.panels(
        columns, found.classes, texts, "share of the loss if all pictures were equally hard", top=1.0
    )
    charts.show(figure, "weights", "Share of the loss that each class gets")
    views.caption(f"**{_largest(found, known)}** Which weighting serves a class best, only a training can tell.")
    rows = [f"| {w.name} | {' | '.join(f'{x:.2f}' for x in w.weights)} |" for w in known]
    head = f"| weights | {' | '.join(found.classes)} |\n|---|{'---:|' * len(found.classes)}\n"
    st.markdown(head + "\n".join(rows))
    st.markdown("\n".join(f"- **{w.name}**: {w.note}." for w in known))


def _largest(found: Contents, known: Sequence[Weighting]) -> str:
    """Which class gets most of the loss, for the weights that are not even."""
    told, total = [], sum(found.training)
    for w in known:
        i = max(range(len(w.loss)), key=w.loss.__getitem__)
        if w.name in ("paper-c", "heavy"):
            pictures = charts.percent(found.training[i] / total)
            share = charts.percent(w.loss[i])
            told.append(f"{w.name} gives {found.classes[i]}, {pictures} of the pictures, {share} of the loss.")
    return " ".join(told) or "These weights give each class its share."
