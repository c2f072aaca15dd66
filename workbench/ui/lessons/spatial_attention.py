"""Spatial attention, CBAM against BAM: how far it looks, and how far it can turn a place down."""

from workbench.services import lessons

from .. import charts, views
from .commitment import Number
from .steps import Lesson, Steps, side_by_side


def _attempt(found, words, pictures) -> None:
    with words:
        n = views.choose_one("Place asked", range(1, 10), default=5, key="place")
        reach, (row, column) = found.reach[n - 1], found.asked[n - 1]
        lit = (reach > 0.01).nonzero()
        far = int((lit - lit.new_tensor([row, column])).abs().max()) if len(lit) else 0
        views.caption(
            f"Each place gets a weight from its surroundings. Bright on the right: the places whose values change the "
            f"weight in the middle of field {n}. They are **{len(lit)} of {reach.numel()}, up to {far} away**. "
            + (
                "BAM gets that far with few weights, because its kernels leave gaps."
                if found.adds
                else "A 7 × 7 kernel sees a closed square."
            )
            + " What can count need not count much."
        )
    reached = charts.strength(reach, "change"), "reach", f"Places that change the weight in field {n}"
    side_by_side(pictures, _arriving(found), reached)


def _arriving(found):
    figure = charts.strength(found.map_, "mean", *found.map_.aminmax())
    return charts.numbered(figure, len(found.map_)), "arriving", "The map that arrives, mean of its channels"


def _think(found, pictures) -> None:
    side_by_side(pictures, _arriving(found))


def _guess(found) -> Number:
    mean = " (mean of its channels)" if found.adds else ""
    question = (
        f"{found.kind.label} now multiplies each place of this map{mean} by a factor. 1 leaves it as it is, 0 makes it "
        "disappear, 2 doubles it. What is the smallest factor on this face?"
    )
    return Number(question, 0, 2, 0.05, answer=float(found.factor.min()), digits=2, near=0.15)


def _reveal(found, said, words, pictures) -> None:
    low, high = found.factor.aminmax()
    built = f", built as {found.kind.built_as}" if found.kind.built_as else ""
    ends = (1, 2) if found.adds else (0, 1)
    values = {"possible, least": ends[0], "smallest here": float(low), "largest here": float(high)}
    values |= {"possible, most": ends[1]} | ({} if said is None else {"predicted": said})
    figure = charts.bars(values, [f"{value:.2f}" for value in values.values()], "factor", "predicted", top=2)
    side_by_side(
        pictures,
        (charts.strength(found.factor, "factor", low, high), "factor", "What each place is multiplied by"),
        (figure, "factors", "Factors that occur and that can occur"),
    )
    with words:
        views.caption(
            "BAM keeps its input beside the weighted one, so its factor lies between 1 and 2: **it can favor a place, "
            "and hide none.** CBAM multiplies by a weight between 0 and 1 and keeps nothing beside it: it can hide. "
            f"This module is {found.kind.label}{built}. What is turned down may still decide: later layers can turn it "
            "up."
        )


def _why(found) -> tuple[tuple[str, ...], str]:
    equations = (
        r"\text{BAM: } x' = x + x \odot \sigma(M_c + M_s)",
        r"\text{CBAM: } F' = M_c \odot F, \quad F'' = M_s \odot F'",
        r"M_s = \sigma\big(f^{7\times7}[\mathrm{avg}\,F';\ \max F']\big)",
    )
    return equations, (
        "A sigmoid lies between 0 and 1; the input that BAM adds makes that 1 to 2. BAM judges a place by all channels "
        "through kernels with gaps (dilated, Park et al. 2018), CBAM by two summaries through one 7 × 7 kernel (Woo et "
        f"al. 2018). The table is that of {found.kind.label}, `{found.layer}`."
    )


def _take_away(found) -> str:
    return (
        "Read the equation before the picture: a dark place in BAM's map is favored less, a dark place in CBAM's is "
        "held back."
    )


LESSON = Lesson(
    key="places",
    title="Spatial attention: CBAM against BAM",
    question="Can attention make a place disappear?",
    needs="spatial attention (BAM or CBAM)",
    network=lambda chosen: lessons.network_for(chosen, lessons.weighs_channels_and_places),
    find=lessons.places,
    steps=Steps(_attempt, _think, _guess, _reveal, _why, _take_away),
    code=("models.layers.bam:BAM", "models.layers.cbam:CBAM.steps", "workbench.services.lessons:places"),
)
