"""Self-attention between the positions of a feature map: how local is it?"""

from models.text import counted
from workbench.services import lessons

from .. import charts, views
from .commitment import Number
from .steps import Lesson, Steps, side_by_side


def _attempt(found, left, right) -> None:
    with left:
        n = views.choose_one("Query position: center of field", range(1, 10), default=5, key="position")
        h, w = found.size
        views.caption(
            f"The feature map that `{found.layer}` gets has {h} × {w} positions. Each attends to all {h * w}, with "
            f"weights that sum to 1. Right: the attention of the center of field {n}, mean of "
            f"{counted(len(found.near), 'head')} of the network's transformer block."
        )
    heat = found.attention_from(n - 1)
    figure = charts.weights_over_face(found.pixels, heat, "attention", 0, float(heat.max()))
    side_by_side(right, _fields(found), (figure, "query", f"Attention of the center of field {n}"))


def _fields(found):
    figure = charts.numbered(charts.face(found.pixels, ""), len(found.pixels))
    return figure, "fields", "The face in nine fields"


def _think(found, right) -> None:
    side_by_side(right, _fields(found))


def _guess(found) -> Number:
    question = (
        "Which share of its attention does a position give to its own 3 × 3 neighborhood, on average over positions "
        f"and heads? A 3 × 3 convolution has 100 %, uniform attention {charts.percent(found.equal)}."
    )
    return Number(question, 0, 100, 1, answer=100 * float(found.near.mean()), unit="\N{NO-BREAK SPACE}%", near=10)


def _reveal(found, predicted, left, right) -> None:
    values = {"convolution": 1.0, "attention": float(found.near.mean()), "uniform": found.equal}
    values |= {} if predicted is None else {"predicted": predicted / 100}
    texts = [charts.percent(value) for value in values.values()]
    pairs = charts.strength(found.pairs, "attention", 0, found.pairs.max())
    side_by_side(
        right,
        (
            charts.bars(values, texts, "attention within 3 × 3", "predicted", top=1),
            "near",
            "Share of the neighborhood",
        ),
        (charts.with_axes(pairs, "key position", "query position"), "pairs", "Attention, query by key"),
    )
    low, high = (charts.percent(float(end)) for end in found.near.aminmax())
    with left:
        views.caption(
            f"The heads range from {low} to {high}; with the residual connection (*rollout*) the share is "
            f"{charts.percent(found.rolled)}. Right: attention of each query (row) to each key (column). "
            f"{_needed(found)}"
        )


def _needed(found) -> str:
    if found.effect is not None:
        share, images = found.effect
        return f"With uniform attention in its place, {charts.percent(share)} of predictions change ({images})."
    if found.trained:
        return "The prediction need not depend on the regions with high attention."
    return "The weights are random, so this shows how attention works, not what training would find."


def _why(found) -> tuple[tuple[str, ...], str]:
    n = found.pairs.shape[0]
    equations = (
        r"A = \mathrm{softmax}\Big(\frac{q\,k^\top}{\sqrt d}\Big), \quad \sum_j A_{ij} = 1",
        r"\tilde A = \tfrac{1}{2}\big(\bar A + I\big)",
    )
    return equations, (
        f"$A$ has $N^2 = {n * n}$ entries per head for $N = {n}$ positions. It does not depend on the distance of two "
        "positions, except through the features and the position encoding. The second line is rollout (Abnar and "
        "Zuidema 2020): $\\bar A$ is the mean of the heads, $I$ the residual connection."
    )


def _take_away(found) -> str:
    return (
        "A convolution is local by construction; self-attention is global, and how local it is must be measured: here "
        f"{charts.percent(float(found.near.mean()))} of it is in the neighborhood."
    )


LESSON = Lesson(
    key="self-attention",
    title="Self-attention: local or global",
    question="How local is self-attention?",
    needs="trained self-attention",
    network=lessons.network_with_self_attention,
    find=lessons.self_attention,
    steps=Steps(_attempt, _think, _guess, _reveal, _why, _take_away),
    code=("models.layers.transformer:TransformerBlock.steps", "workbench.services.lessons:self_attention"),
)
