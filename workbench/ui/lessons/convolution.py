"""Convolution and Grad-CAM: what keeps its place, and where the evidence lies."""

from workbench.services import lessons

from .. import charts, views
from .commitment import Field
from .steps import Lesson, Steps, count, side_by_side


def _attempt(found, words, pictures) -> None:
    with words:
        n = count("Kernel of the first convolution", len(found.kernels), found.liveliest + 1, "kernel")
        k = found.kernels.shape[-1]
        views.caption(
            f"A convolution lays a pattern of {k} × {k} weights on every place of the picture and notes how well it "
            f"fits. What kernel {n} notes is a map: **every value keeps its place.** That a map looks like the face "
            "does not mean that this kernel counts for the answer."
        )
    side_by_side(
        pictures,
        (charts.signed(found.kernels[n - 1], "weight"), "weights", f"Weights of kernel {n}"),
        (charts.signed(found.responses[n - 1], "fit"), "response", f"What kernel {n} notes, by place"),
    )


def _think(found, pictures) -> None:
    figure = charts.numbered(charts.face(found.pixels, ""), len(found.pixels))
    side_by_side(pictures, (figure, "fields", "The face in nine fields"))


def _guess(found) -> Field:
    return Field.strongest(
        f"The network answers **{found.answer}**. Grad-CAM adds up the maps of its layer `{found.layer}`, each weighed "
        "by what it does for that answer. In which field is this map the strongest?",
        found.shares,
        "the map is blank",
    )


def _reveal(found, said, words, pictures) -> None:
    answer = _guess(found).answer
    map_ = charts.face_with_map(found.pixels, found.heat, float(found.heat.max()), 0.7)
    kernel = f"kernel {found.most + 1}"
    side_by_side(
        pictures,
        (charts.signed(found.term, "logit"), "term", f"What {kernel} of {found.layer} adds to the map"),
        (charts.numbered(map_, len(found.pixels), said, answer), "map", f"Grad-CAM for {found.answer}"),
    )
    with words:
        if answer is None:
            views.caption("No place speaks for this answer. A blank map is no evidence of anything.")
            return
        h, w = found.term.shape
        mine = (
            "" if said in (None, answer) else f", yours {charts.percent(float(found.shares[said]))} (the dashed frame)"
        )
        views.caption(
            f"**From kernels to Grad-CAM:** deep inside, the kernels of `{found.layer}` note patterns of patterns, "
            f"each in a map of {h} × {w} places. Left: {kernel}, whose map, times its weight, adds most to "
            f"*{found.answer}*. Right: the sum over all of them, enlarged.\n\n"
            f"**It highlights field {answer + 1}** with {charts.percent(float(found.shares[answer]))} of its strength"
            f"{mine}; spread evenly, each would have 11 %. That these pixels decided is not proved: hiding them tests "
            "that."
        )


def _why(found) -> tuple[tuple[str, ...], str]:
    equations = (
        r"\alpha_k^c = \frac{1}{Z}\sum_{i,j}\frac{\partial y^c}{\partial A^k_{ij}}",
        r"L^c = \mathrm{ReLU}\Big(\sum_k \alpha_k^c A^k\Big)",
    )
    return equations, (
        "Convolutions keep places, so each $A^k$ is a small picture of where one pattern was found. The gradient says "
        f"how much the logit of *{found.answer}* would gain if the map grew; its mean over the $Z$ places is the map's "
        "weight (Selvaraju et al. 2017)."
    )


def _take_away(found) -> str:
    return (
        "A class activation map adds up what a layer noted place by place: it shows where evidence lies in that layer, "
        "not what decided."
    )


LESSON = Lesson(
    key="convolution",
    title="Convolution: from kernels to Grad-CAM",
    question="Where does the evidence lie?",
    needs="trained weights and a layer for maps",
    network=lambda chosen: lessons.own_or_first(chosen, lessons.trained_with_maps),
    find=lessons.convolution,
    steps=Steps(_attempt, _think, _guess, _reveal, _why, _take_away),
    code=("workbench.analysis.cam:_gradcam", "workbench.services.lessons:convolution"),
)
