"""SVD attention: a spatial gate that does not depend on spatial positions (paper D)."""

from workbench.services import lessons

from .. import charts, views
from .commitment import Field
from .steps import Lesson, Steps, side_by_side

_WAYS = ("as computed", "upside down")


def _attempt(found, left, right) -> None:
    with left:
        way = views.choose_one("Feature map", _WAYS, default=_WAYS[0], key="way")
        views.caption(
            "The module projects the feature map to one channel (left) and computes **singular values** in descending "
            f"order (right), of the map and of its {_query(found)}-frequency component. Turn the map upside down and "
            "compare."
        )
    steps = found.upright if way == _WAYS[0] else found.flipped
    lists = {"of x̃": steps.sigma_x, "of h": steps.sigma_h, "of l": steps.sigma_l}
    figure = charts.spectra({name: sigma[0] for name, sigma in lists.items() if sigma is not None})
    side_by_side(
        right,
        (charts.signed(steps.x_tilde[0], "x̃"), "x_tilde", f"The map in one channel, {way}"),
        (figure, "lists", "Singular values of the map and of the query"),
    )


def _query(found) -> str:
    return "low" if found.upright.sigma_h is None else "high"


def _think(found, right) -> None:
    x = found.upright.x_tilde[0]
    figure = charts.numbered(charts.signed(x, "x̃"), len(x))
    side_by_side(right, (figure, "fields", "The map in one channel, in nine fields"))


def _guess(found) -> Field:
    return Field.strongest(
        "From the singular values the module computes a gate that multiplies each position of the feature map by a "
        "number from 0 to 1; its neutral value is ½. In which field is the gate farthest from ½?",
        found.shares,
        "the gate is ½ everywhere",
    )


def _reveal(found, predicted, left, right) -> None:
    answer = _guess(found).answer
    shown = []
    for steps, unit, frames in ((found.upright, "upright", (predicted, answer)), (found.flipped, "rotated", ())):
        figure = charts.numbered(charts.strength(steps.a[0, 0], unit), steps.a.shape[-1], *frames)
        shown.append((figure, f"gate {unit}", f"The gate for the map, {unit}"))
    side_by_side(right, *shown)
    small = "under a millionth" if found.change < 1e-6 else f"{found.change:.1g}"
    with left:
        corner = " Field 1 always contains the products of the largest singular values." if answer == 0 else ""
        views.caption(
            f"**The same gate for a map turned upside down:** the largest difference is {small}.{corner} Row i, column "
            "j is computed from the i-th and the j-th singular value, but multiplies *position* (i, j). It is not a "
            "map of evidence."
        )


def _why(found) -> tuple[tuple[str, ...], str]:
    name = "l" if found.upright.sigma_h is None else "h"
    product = rf"P = \sigma_{name}\,\sigma_x^\top"
    equations = (
        r"\tilde x = C_{1\times1}(x) = U\,\mathrm{diag}(\sigma_x)\,V^\top",
        product,
        r"a = \mathrm{sigmoid}\big(C_{7\times7}(P)\big), \quad x' = a \odot x",
    )
    several = f" This module adds further products; there are {found.upright.outer.shape[1]}." * (
        found.upright.outer.shape[1] > 1
    )
    return equations, (
        "Turning a map upside down reorders the rows of $U$ and does not change $\\sigma$, so $P$ and $a$ stay the "
        "same. Singular values are in descending order, so $P$ is largest at the upper left; where it is nearly 0, $a$ "
        f"is nearly ½ (paper D, eq. 1 to 10).{several}"
    )


def _take_away(found) -> str:
    return (
        "A spatial gate need not depend on spatial content: SVD attention weights positions by singular values alone."
    )


LESSON = Lesson(
    key="svd",
    title="SVD attention: what its gate depends on",
    question="Does the gate of SVD attention depend on where the mouth is?",
    needs="SVD attention",
    network=lambda chosen: lessons.network_for(chosen, lessons.has_svd),
    find=lessons.gate,
    steps=Steps(_attempt, _think, _guess, _reveal, _why, _take_away),
    code=("models.layers.svd_attention:SVDAttention.steps", "workbench.services.lessons:gate"),
)
