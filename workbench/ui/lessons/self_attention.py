"""Self-attention: every position may ask every other; how far does it?"""

import streamlit as st

from models.text import counted
from workbench import services
from workbench.services import lessons

from .. import charts, state, views
from .commitment import Number
from .steps import Lesson, Steps, side_by_side


def _attempt(found, words, pictures) -> None:
    with words:
        n = views.choose_one("Position asked", range(1, 10), default=5, key="position")
        h, w = found.size
        views.caption(
            f"The map of `{found.layer}` has {h} × {w} positions. Each asks all {h * w} and shares its attention out, "
            f"1 in all; bright on the right is what the middle of field {n} attends to. {_whose(found)} Attention is a "
            "number on the way, not a reason for the answer."
        )
        if not found.learned:
            other = next(
                n
                for n in services.attention.networks_with_attention()
                if "transformer" in services.networks.get_spec(n).attention
            )
            st.button(f"Show {services.networks.get_spec(other).title}", on_click=state.choose_network, args=(other,))
    heat = found.asked_by(n - 1)
    figure = charts.weights_over_face(found.pixels, heat, "share", 0, float(heat.max()))
    side_by_side(pictures, _fields(found), (figure, "asks", f"What the middle of field {n} attends to"))


def _whose(found) -> str:
    if found.learned:
        return f"It is the network's own transformer block, {counted(len(found.near), 'head')}, here their mean."
    return (
        "This network has no such block: we compare the features of its positions as they are, in "
        f"{counted(len(found.near), 'head')}, with nothing learned for it."
    )


def _fields(found):
    figure = charts.numbered(charts.face(found.pixels, ""), len(found.pixels))
    return figure, "fields", "The face in nine fields"


def _think(found, pictures) -> None:
    side_by_side(pictures, _fields(found))


def _guess(found) -> Number:
    question = (
        "Which share of its attention does a position give to its own 3 × 3 neighborhood, itself included? Mean of "
        f"all positions and heads. A 3 × 3 convolution gives it 100 %; equal shares for all would give "
        f"{charts.percent(found.equal)}."
    )
    return Number(question, 0, 100, 1, answer=100 * float(found.near.mean()), unit="\N{NO-BREAK SPACE}%", near=10)


def _reveal(found, said, words, pictures) -> None:
    values = {"convolution": 1.0, "attention": float(found.near.mean()), "equal shares": found.equal}
    values |= {} if said is None else {"predicted": said / 100}
    texts = [charts.percent(value) for value in values.values()]
    side_by_side(
        pictures,
        (charts.bars(values, texts, "share nearby", "predicted", top=1), "near", "Share of the neighborhood"),
        (charts.strength(found.pairs, "share", 0, found.pairs.max()), "pairs", "Who (rows) attends to whom (columns)"),
    )
    low, high = (charts.percent(float(end)) for end in found.near.aminmax())
    limit = (
        "That attention goes somewhere does not prove that the answer hangs on it."
        if found.learned and found.trained
        else "Nothing was learned for this, so it shows how attention works, not what a trained one would find."
    )
    with words:
        views.caption(
            f"The heads lie between {low} and {high}. With the way beside the attention counted for half (*rollout*) "
            f"it is {charts.percent(found.rolled)}. Right: who (row) attends to whom (column). {limit}"
        )


def _why(found) -> tuple[tuple[str, ...], str]:
    n = found.pairs.shape[0]
    equations = (
        r"A = \mathrm{softmax}\Big(\frac{q\,k^\top}{\sqrt d}\Big), \quad \sum_j A_{ij} = 1",
        r"\tilde A = \tfrac{1}{2}\big(\bar A + I\big)",
    )
    return equations, (
        f"Each of the $N = {n}$ positions meets all of them: {n * n} numbers a head, which grow with the square of the "
        "positions. Nothing in $A$ knows that two positions are neighbors unless the features say so, or the waves "
        "of row and column that are added to them. The second line is rollout (Abnar and Zuidema 2020): $\\bar A$ is "
        "the mean of the heads, $I$ the way beside the attention."
    )


def _take_away(found) -> str:
    return (
        "A convolution is near by construction; self-attention may reach everywhere, and how far it does has to be "
        f"measured: here {charts.percent(float(found.near.mean()))} stay in the neighborhood."
    )


LESSON = Lesson(
    key="self-attention",
    title="Self-attention: who asks whom",
    question="How far does a position look around?",
    needs="a layer whose maps can be shown",
    network=lambda chosen: lessons.network_for(chosen, lambda spec: spec.cam_layer is not None),
    find=lessons.self_attention,
    steps=Steps(_attempt, _think, _guess, _reveal, _why, _take_away),
    code=("models.layers.transformer:TransformerBlock.steps", "workbench.services.lessons:self_attention"),
)
