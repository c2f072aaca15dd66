"""Transfer learning: ImageNet weights frozen, with all layers trained, and random weights."""

import streamlit as st
import torch

from models.text import thousands
from workbench import navigation, services
from workbench.services import lessons

from .. import charts, classroom, views
from ..training import entries
from .commitment import Number
from .steps import Lesson, Steps, count, side_by_side

_COLORS = {"scratch": "#7F7F7F", "frozen": "#0072B2", "transfer": "#D55E00"}


def _attempt(found, left, right) -> None:
    title = services.networks.get_spec(found.network).title
    with left:
        if not len(found.epochs):
            views.caption(f"{title} was not trained on FER2013 from ImageNet weights here: not run.")
            return
        n = count("Epochs on FER2013", len(found.epochs), min(2, len(found.epochs)), "epochs")
        views.caption(
            f"{title} starts from weights for ImageNet, photographs of a thousand kinds of objects, none of them an "
            f"emotion. **After {n} of {len(found.epochs)} epochs it is right for "
            f"{charts.percent(float(found.curves['validation'][n - 1]))} of PublicTest;** the largest class has "
            f"{charts.percent(found.majority)}. All layers train."
        )
    shown = {name: values[:n] for name, values in found.curves.items()}
    figure = charts.learning(found.epochs[:n], shown, "accuracy ↑", len(found.epochs))
    side_by_side(right, (figure, "fer2013-curve", "Accuracy by epoch on FER2013, from ImageNet weights"), wide=True)


def _tests(found, recipes, predicted=None):
    known = {found.variants[r].title: found.variants[r].test for r in recipes}
    values = {name: value for name, (value, _, _) in known.items()}
    texts = [f"{charts.interval(interval)} %" for interval in known.values()]
    if predicted is not None:
        values, texts = values | {"predicted": predicted / 100}, [*texts, f"{predicted:.0f} %"]
    return charts.bars(values, texts, "test accuracy ↑, 95 % interval", "predicted", top=1)


def _think(found, right) -> None:
    figure = _tests(found, ("scratch", "transfer"))
    side_by_side(
        right, (figure, "known-tests", "Test accuracy from random weights and with all layers trained"), wide=True
    )


def _guess(found) -> Number:
    scratch, all_ = (100 * found.variants[recipe].test[0] for recipe in ("scratch", "transfer"))
    question = (
        f"On {found.images[0]} drawn faces the network reaches {scratch:.0f} % of the test images from random weights "
        f"and {all_:.0f} % from ImageNet weights with all layers trained. What does it reach with the ImageNet weights "
        f"**frozen**, where only the head of {thousands(found.variants['frozen'].trainable)} parameters is trained?"
    )
    return Number(
        question, 0, 100, 1, answer=100 * found.variants["frozen"].test[0], unit="\N{NO-BREAK SPACE}%", near=7
    )


def _reveal(found, predicted, left, right) -> None:
    variants = [found.variants[recipe] for recipe in _COLORS]
    ys = torch.stack([variant.validation for variant in variants])
    figure = charts.curves(
        torch.arange(1, ys.shape[1] + 1), ys, tuple(variant.title for variant in variants), "epoch",
        "validation accuracy ↑", tuple(_COLORS.values()), points=True,
    )  # fmt: skip
    side_by_side(right, (figure, "three-curves", "Validation accuracy by epoch of the three training runs"), wide=True)
    bars = _tests(found, _COLORS, predicted)
    side_by_side(right, (bars, "three-tests", "Test accuracy of the three training runs"), wide=True)
    with left:
        views.caption(
            f"After {ys.shape[1]} epochs on {found.images[0]} drawn faces, tested on {found.images[1]}. Frozen "
            "features keep what ImageNet needed; with all layers they adapt; random weights need more epochs. Drawn "
            "faces are easier than photographs."
        )
        views.caption(_on_fer2013(found))
    if classroom.teacher():
        with right.container(horizontal=True, vertical_alignment="bottom"):
            recipe = views.choose_one(
                "Train it on this computer", _COLORS, default="frozen", key="variant", format_func=lessons.VARIANTS.get
            )
            if st.button("Open in Train", key="train-variant"):
                entries.offer(lessons.plan(recipe, found.network))
                st.switch_page(navigation.FOLDER / "train.py", query_params={})


def _on_fer2013(found) -> str:
    parts, missing = [], []
    for recipe in _COLORS:
        variant = found.variants[recipe]
        if variant.on_fer2013 is None:
            parts.append(f"{variant.title}: not run")
            missing.append(recipe)
        else:
            parts.append(f"{variant.title}: {charts.with_interval(variant.on_fer2013)}")
    commands = " and ".join(f"`ferscope train --model {found.network} --recipe {recipe}`" for recipe in missing)
    how = f" To run what is missing: {commands}." if missing else ""
    return f"On FER2013's PrivateTest, single view: {'; '.join(parts)}.{how}"


def _why(found) -> tuple[tuple[str, ...], str]:
    equations = (
        r"\text{frozen: } W \leftarrow W - \eta\,\frac{\partial L}{\partial W}, \qquad \theta \text{ stays}",
        r"\text{all layers: } (\theta, W) \leftarrow (\theta, W) - \eta\,\frac{\partial L}{\partial (\theta, W)}",
    )
    return equations, (
        "The head $W$ is a linear classifier of the features that the backbone $\\theta$ computes. Frozen, only "
        "directions that separate objects are there to combine; with all layers, early edges are kept and later "
        "features change (Yosinski et al. 2014). Random weights must find both from the $N$ images alone."
    )


def _take_away(found) -> str:
    values = {recipe: charts.percent(variant.test[0]) for recipe, variant in found.variants.items()}
    text = (
        "With few drawn faces and few epochs this network needs its ImageNet weights: "
        f"{values['scratch']} from random weights, {values['frozen']} frozen, {values['transfer']} with all layers."
    )
    best, ours = lessons.best_without_imagenet(), found.variants["transfer"].on_fer2013
    if best is None or ours is None:
        return text
    title, accuracy = services.networks.get_spec(best[0]).title, best[1]
    return (
        f"{text} On FER2013 they are one way of several: it reaches {charts.with_interval(ours)} of PrivateTest, "
        f"and {title} {charts.with_interval(accuracy)} without any (single view)."
    )


LESSON = Lesson(
    key="transfer",
    title="Transfer learning: frozen or fine-tuned",
    question="What do weights that were trained on other images bring?",
    needs="measured training runs from ImageNet weights",
    network=lambda chosen: lessons.transfer_learning().network,
    find=lambda face, network: lessons.transfer_learning(),
    steps=Steps(_attempt, _think, _guess, _reveal, _why, _take_away),
    code=("models.training.optimization:freeze", "workbench.services.lessons:plan"),
    of_face=False,
    uses_face=False,
)
