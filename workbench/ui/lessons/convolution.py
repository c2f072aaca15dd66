"""Convolution and Grad-CAM: feature maps keep spatial positions, so they can be combined to a map of evidence."""

from workbench.services import lessons

from .. import charts, views
from .commitment import Field
from .steps import Lesson, Steps, count, side_by_side


def _attempt(found, left, right) -> None:
    with left:
        n = count("Kernel of the first convolution", len(found.kernels), found.most_active + 1, "kernel")
        k = found.kernels.shape[-1]
        views.caption(
            f"A convolution compares a kernel of {k} × {k} weights with every position of the image. The response of "
            f"kernel {n} is a feature map: **every value keeps its spatial position.**"
        )
    side_by_side(
        right,
        (charts.signed(found.kernels[n - 1], "weight"), "weights", f"Weights of kernel {n}"),
        (charts.signed(found.responses[n - 1], "response"), "response", f"Response of kernel {n}"),
    )


def _think(found, right) -> None:
    figure = charts.numbered(charts.face(found.pixels, ""), len(found.pixels))
    side_by_side(right, (figure, "fields", "The face in nine fields"))


def _guess(found) -> Field:
    return Field.strongest(
        f"The prediction is **{found.predicted}**. Grad-CAM sums the feature maps of layer `{found.layer}`, each "
        "weighted by its gradient for that class. In which field is the Grad-CAM map strongest?",
        found.shares,
        "the map is blank",
    )


def _reveal(found, predicted, left, right) -> None:
    answer = _guess(found).answer
    map_ = charts.face_with_map(found.pixels, found.heat, float(found.heat.max()), 0.7)
    kernel = f"kernel {found.most + 1}"
    side_by_side(
        right,
        (charts.signed(found.term, "logit"), "term", f"Contribution of {kernel} of {found.layer}"),
        (charts.numbered(map_, len(found.pixels), predicted, answer), "map", f"Grad-CAM for {found.predicted}"),
    )
    with left:
        if answer is None:
            views.caption("No region supports this class. A blank map is not evidence of anything.")
            return
        h, w = found.term.shape
        mine = (
            ""
            if predicted in (None, answer)
            else f", yours {charts.percent(float(found.shares[predicted]))} (the dashed frame)"
        )
        views.caption(
            f"**Left:** {kernel} of `{found.layer}`, whose feature map ({h} × {w}), times its weight, contributes most "
            f"to *{found.predicted}*. **Right:** the sum over all feature maps, resized.\n\n"
            f"**It highlights field {answer + 1}** with {charts.percent(float(found.shares[answer]))} of its sum"
            f"{mine}; a uniform map would have 11 %. Only occlusion can test whether these pixels matter."
        )


def _why(found) -> tuple[tuple[str, ...], str]:
    equations = (
        r"\alpha_k^c = \frac{1}{Z}\sum_{i,j}\frac{\partial y^c}{\partial A^k_{ij}}",
        r"L^c = \mathrm{ReLU}\Big(\sum_k \alpha_k^c A^k\Big)",
    )
    return equations, (
        "Convolutions keep spatial positions, so each feature map $A^k$ shows where a pattern was found. The gradient "
        f"tells how much the logit of *{found.predicted}* would grow with it; its mean over the $Z$ positions is the "
        "weight of the map (Selvaraju et al. 2017)."
    )


def _take_away(found) -> str:
    return (
        "A class activation map is a weighted sum of feature maps: it shows where a layer has evidence for a class, "
        "not what caused the prediction."
    )


LESSON = Lesson(
    key="convolution",
    title="Convolution: from kernels to Grad-CAM",
    question="How do feature maps become a class activation map?",
    needs="trained weights and a layer for maps",
    network=lambda chosen: lessons.own_or_first(chosen, lessons.trained_with_maps),
    find=lessons.convolution,
    steps=Steps(_attempt, _think, _guess, _reveal, _why, _take_away),
    code=("workbench.analysis.cam:_gradcam", "workbench.services.lessons:convolution"),
)
