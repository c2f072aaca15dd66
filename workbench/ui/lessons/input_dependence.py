"""Gates that are the same for every input: a learned constant in the place of attention."""

from models.text import counted
from workbench.services import lessons

from .. import charts, views
from .commitment import Number
from .steps import Lesson, Steps, side_by_side

_MOST_BARS = 9


def _attempt(found, left, right) -> None:
    gate = found.gates[found.shown]
    with left:
        other = views.choose_one(
            "Input beside the face", [*found.others], default=next(iter(found.others)), key="other"
        )
        pixels, values = found.others[other]
        largest = float((values - found.values).abs().max())
        views.caption(
            f"`{gate.gate.path}` is a gate of this network: {counted(len(values), 'weight')} between 0 and 1. Each dot "
            f"is one weight, for the face (across) and for {other} (up): **the largest change is {largest:.2f}.** On "
            "the dotted line nothing changes."
        )
    dots = charts.before_and_after(found.values, values, ("weight for the face", f"weight for {other}"))
    side_by_side(
        right,
        (charts.face(pixels, other), "other-input", f"The other input: {other}"),
        (dots, "both-inputs", f"Each weight of the gate for the face and for {other}"),
    )


def _think(found, right) -> None:
    values = {"face": found.values, **{name: values for name, (_, values) in found.others.items()}}
    means = {name: float(v.mean()) for name, v in values.items()}
    texts = [f"{mean:.2f} ± {float(v.std()):.2f}" for mean, v in zip(means.values(), values.values(), strict=True)]
    figure = charts.bars(means, texts, "mean ± deviation of the gate's weights", top=1)
    side_by_side(right, (figure, "means", "Mean of the gate's weights for each input"), wide=True)


def _guess(found) -> Number:
    return Number(
        f"Now each of the {counted(len(found.gates), 'gate')} is replaced by its mean over {found.images}: the same "
        "weights for every face. Which share of the predictions for these images changes?",
        0, 100, 1, answer=100 * found.changed_mean, unit="\N{NO-BREAK SPACE}%", digits=1, near=3,
    )  # fmt: skip


def _reveal(found, predicted, left, right) -> None:
    changed = {"gates at their mean": found.changed_mean, "attention disabled": found.changed_off}
    changed |= {} if predicted is None else {"predicted": predicted / 100}
    texts = [charts.percent(value) for value in changed.values()]
    most = sorted(found.gates, key=lambda gate: -_fixed(gate))[:_MOST_BARS]
    fixed = {gate.gate.path: _fixed(gate) for gate in most} | {"the images": found.pixels}
    both = charts.bars(changed, texts, "changed predictions", "predicted", top=1)
    every = charts.bars(fixed, [f"{value:.2f}" for value in fixed.values()], "η²; 1: constant", top=1)
    side_by_side(
        right,
        (both, "changed", "Share of predictions changed by constant gates and without attention"),
        (every, "eta", "Correlation ratio η² of each gate and of the images"),
    )
    n = sum(gate.constant for gate in found.gates)
    with left:
        views.caption(
            f"**{n} of {counted(len(found.gates), 'gate')} {'is' if n == 1 else 'are'} nearly constant.** Disabling "
            f"attention changes {charts.percent(found.changed_off)}, so its scaling is needed; its dependence on the "
            f"face matters for {charts.percent(found.changed_mean)}. That holds for this network, not for its kind of "
            "attention."
        )


def _fixed(gate) -> float:
    return 1.0 if gate.fixed != gate.fixed else gate.fixed


def _why(found) -> tuple[tuple[str, ...], str]:
    equations = (
        r"\sigma^2 = \frac{1}{BP}\sum_{b,p} (w_{bp} - \bar w_p)^2",
        r"\eta^2 = \frac{\frac{1}{P}\sum_p (\bar w_p - \bar w)^2}{\frac{1}{BP}\sum_{b,p} (w_{bp} - \bar w)^2}",
    )
    return equations, (
        "$w_{bp}$ is weight $p$ of the gate for image $b$, $\\bar w_p$ its mean over images. $\\eta^2$ is the share of "
        "the variance that is the same for every image: 1 is a fixed mask. A sigmoid far from 0 saturates: its "
        "gradient is nearly 0, so the gate stays where it is."
    )


def _take_away(found) -> str:
    return (
        "Before a gate's map is read as attention to this face, compare it with other inputs: with constant gates "
        f"{charts.percent(1 - found.changed_mean)} of the predictions here stay the same."
    )


LESSON = Lesson(
    key="input-dependence",
    title="Input dependence: attention or a constant",
    question="Does an attention gate depend on the face at all?",
    needs="stored statistics of its gates",
    network=lessons.network_with_constant_gates,
    find=lessons.constant_gates,
    steps=Steps(_attempt, _think, _guess, _reveal, _why, _take_away),
    code=("workbench.analysis.attention.input_dependence:WeightMoments", "workbench.analysis.attention.gates:replaced"),
)
