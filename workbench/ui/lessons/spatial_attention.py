"""Spatial attention, CBAM and BAM: receptive field of a weight, and range of the factor."""

from workbench.services import lessons

from .. import charts, views
from .commitment import Number
from .steps import Lesson, Steps, side_by_side


def _attempt(found, left, right) -> None:
    with left:
        n = views.choose_one("Position: center of field", range(1, 10), default=5, key="place")
        reach, (row, column) = found.reach[n - 1], found.positions[n - 1]
        lit = (reach > 0.01).nonzero()
        far = int((lit - lit.new_tensor([row, column])).abs().max()) if len(lit) else 0
        views.caption(
            f"The weight of each position depends on its surroundings. Right: the receptive field of the weight at the "
            f"center of field {n}, **{len(lit)} of {reach.numel()} positions, up to {far} away**. "
            + (
                "BAM reaches that far with few weights, because its convolutions are dilated."
                if found.residual
                else "A 7 × 7 kernel covers a square."
            )
        )
    reached = charts.strength(reach, "change"), "reach", f"Receptive field of the weight in field {n}"
    side_by_side(right, _arriving(found), reached)


def _arriving(found):
    figure = charts.strength(found.map_, "mean", *found.map_.aminmax())
    return charts.numbered(figure, len(found.map_)), "arriving", "The input feature map, mean over channels"


def _think(found, right) -> None:
    side_by_side(right, _arriving(found))


def _guess(found) -> Number:
    mean = " (mean of its channels)" if found.residual else ""
    question = (
        f"{found.kind.label} multiplies each position of this feature map{mean} by a factor: 0 removes it, 1 "
        "keeps it, 2 doubles it. What is the smallest factor for this face?"
    )
    return Number(question, 0, 2, 0.05, answer=float(found.factor.min()), digits=2, near=0.15)


def _reveal(found, predicted, left, right) -> None:
    low, high = found.factor.aminmax()
    ends = (1, 2) if found.residual else (0, 1)
    values = {"lower bound": ends[0], "smallest here": float(low), "largest here": float(high)}
    values |= {"upper bound": ends[1]} | ({} if predicted is None else {"predicted": predicted})
    figure = charts.bars(values, [f"{value:.2f}" for value in values.values()], "factor", "predicted", top=2)
    side_by_side(
        right,
        (charts.strength(found.factor, "factor", low, high), "factor", "Factor of each position"),
        (figure, "factors", "Range of the factor, here and possible"),
    )
    with left:
        views.caption(
            f"This module, `{found.layer}`, is {found.kind.label}. BAM has a residual connection, so its factor is "
            "between 1 and 2: **it can amplify a position, but not suppress it.** CBAM's is between 0 and 1, so it can."
        )


def _why(found) -> tuple[tuple[str, ...], str]:
    equations = (
        r"\text{BAM: } x' = x + x \odot \mathrm{sigmoid}(M_c + M_s)",
        r"\text{CBAM: } F' = M_c \odot F, \quad F'' = M_s \odot F'",
        r"M_s = \mathrm{sigmoid}\big(f^{7\times7}[\mathrm{avg}\,F';\ \max F']\big)",
    )
    return equations, (
        "A sigmoid is between 0 and 1; BAM adds its input, so its factor is between 1 and 2. BAM computes the weight "
        "from all channels by dilated convolutions (Park et al. 2018), CBAM from the mean and the maximum over "
        f"channels by one 7 × 7 convolution (Woo et al. 2018). The table is for {found.kind.label}, `{found.layer}`."
    )


def _take_away(found) -> str:
    return (
        "Read the equation before the map: a dark position in BAM's map is amplified less, a dark position in CBAM's "
        "is suppressed."
    )


LESSON = Lesson(
    key="places",
    title="Spatial attention: CBAM and BAM",
    question="Can spatial attention suppress a position?",
    needs="CBAM or BAM",
    network=lessons.network_with_cbam,
    find=lessons.spatial_attention,
    steps=Steps(_attempt, _think, _guess, _reveal, _why, _take_away),
    code=("models.layers.bam:BAM", "models.layers.cbam:CBAM.steps", "workbench.services.lessons:spatial_attention"),
)
