"""Depthwise-separable and full convolution: the cost of mixing all channels (paper E, figures 3 to 5)."""

from models.text import counted
from workbench.services import lessons

from .. import charts, views
from .commitment import Number
from .steps import Lesson, Steps, count, side_by_side


def _attempt(found, left, right) -> None:
    with left:
        C = found.channels
        n = count("Number of channels summed", C, max(1, C // 4), "added")
        views.caption(
            f"`{found.layer}` has {C} input channels. For one output channel (number {found.output + 1} of "
            f"{found.outputs}) a full convolution filters **each input channel** with its own kernel **and adds the "
            f"results** (right). A depthwise convolution filters without adding (left: channel {n})."
        )
    _draw(found, n, right)


def _draw(found, n: int, right) -> None:
    side_by_side(
        right,
        (charts.signed(found.terms[n - 1], "alone"), "term", f"Channel {n} filtered alone"),
        (charts.signed(found.terms[:n].sum(0), "sum"), "sum", f"The first {counted(n, 'channel')}, filtered and added"),
    )


def _think(found, right) -> None:
    _draw(found, found.channels, right)


def _guess(found) -> Number:
    k = found.kernel
    question = (
        f"A *depthwise-separable convolution* filters each channel alone ({k} × {k}) and then mixes them (1 × 1). For "
        f"this layer with {found.channels} input and {found.outputs} output channels, how many times fewer weights "
        "does it have than the full convolution?"
    )
    return Number(question, 1, 1000, 0.1, answer=found.factor, unit=" times", digits=1, near=0.2 * found.factor)


def _reveal(found, predicted, left, right) -> None:
    shown = []
    for counts, label in ((found.weights, "weights"), (found.operations, "multiplications")):
        texts = [f"{n / 1e6:.2f} M" if n >= 1e6 else str(n) for n in counts]
        values = dict(zip(("full", "separable"), counts, strict=True))
        shown.append((charts.bars(values, texts, label), label, f"Number of {label} of both"))
    side_by_side(right, *shown)
    with left:
        before, after = found.parameters
        views.caption(
            "The number of multiplications drops by the same factor, since each weight is used once at each of "
            f"{found.positions} positions. With all {found.replaced} such convolutions replaced, the network would "
            f"have {after / 1e6:.2f} M instead of {before / 1e6:.2f} M parameters. Run time drops by less."
        )


def _why(found) -> tuple[tuple[str, ...], str]:
    k, C, D = found.kernel, found.channels, found.outputs
    equations = (
        r"y_d = \sum_{c=1}^{C} w_{dc} * x_c \qquad k^2 C D \text{ weights}",
        r"y_d = \sum_{c=1}^{C} p_{dc}\,(v_c * x_c) \qquad k^2 C + C D",
        r"\frac{k^2 C + C D}{k^2 C D} = \frac{1}{D} + \frac{1}{k^2}",
    )
    return equations, (
        f"Here $k = {k}$, $C = {C}$, $D = {D}$: 1/{D} + 1/{k * k} = {1 / D + 1 / k**2:.3f}. A separable convolution "
        "can only express those whose kernels for an input channel are multiples of each other, $w_{dc} = p_{dc} v_c$."
    )


def _take_away(found) -> str:
    k = found.kernel
    return (
        f"Filtering first and mixing afterwards costs 1/D + 1/{k * k} of a full convolution: here {found.factor:.1f} "
        "times fewer weights, for a convolution that can express less."
    )


LESSON = Lesson(
    key="separable",
    title="Depthwise-separable convolution: its cost",
    question="How many weights does a depthwise-separable convolution save?",
    needs="a convolution over many channels",
    network=lambda chosen: lessons.own_or_first(chosen, lessons.has_full_convolutions),
    find=lessons.separable,
    steps=Steps(_attempt, _think, _guess, _reveal, _why, _take_away),
    code=("models.layers.dsc:DSC", "workbench.services.lessons:separable"),
)
