"""Channel attention (squeeze-and-excitation): it does not depend on spatial positions."""

from workbench.services import lessons

from .. import charts, views
from .commitment import Choice
from .steps import Lesson, Steps, count, side_by_side


def _attempt(found, left, right) -> None:
    with left:
        n = count("Channel, in descending order of weight", len(found.weights), 1, "channel")
        c = int(found.weights.argsort(descending=True)[n - 1])
        open_ended = " (in BAM before the sigmoid, to which the spatial branch is added)" if _bam(found) else ""
        views.caption(
            "**Squeeze:** the mean of each channel. **Excitation:** two small layers compute one weight per channel "
            f"from all means{open_ended}. Channel {c} has the mean {float(found.map_[c].mean()):.3f} and the weight "
            f"{float(found.weights[c]):.3f}. A large weight does not mean that the prediction needs the channel."
        )
    ranked = charts.channel_weights(found.weights, "weight", (None, None) if _bam(found) else (0, 1), in_order=False)
    side_by_side(
        right,
        (charts.signed(found.map_[c], "value"), "channel-map", f"Input of channel {c}"),
        (charts.marked(ranked, {f"channel {c}": (n - 1, charts.ANSWER)}), "weights", "The weight of every channel"),
    )


def _bam(found) -> bool:
    return found.kind.residual


def _think(found, right) -> None:
    side_by_side(
        right,
        (charts.signed(found.map_.mean(0), "mean"), "arrives", "The input feature map, mean over channels"),
        (charts.signed(found.shuffled.mean(0), "mean"), "shuffled", "The same with shuffled positions"),
    )


def _guess(found) -> Choice:
    options = {
        "none": "Not at all",
        "some": "Somewhat: by less than half of the range of the weights",
        "most": "Completely: other channels get the large weights",
    }
    return Choice(
        "Now the positions of the feature map are shuffled, in all channels in the same way, so that no face is left. "
        "How do the channel weights change?",
        options,
        "none" if found.change < 0.01 else "some" if found.change < 0.5 else "most",
    )


def _reveal(found, predicted, left, right) -> None:
    small = "under a millionth" if found.change < 1e-6 else charts.percent(found.change)
    figure = charts.before_and_after(found.weights, found.after, ("weight before", "weight after"))
    side_by_side(
        right,
        (charts.signed(found.shuffled.mean(0), "mean"), "shuffled", "The feature map with shuffled positions"),
        (figure, "before-after", "The weight of each channel before and after the shuffle"),
    )
    with left:
        views.caption(
            f"The largest change of a weight is {small} of their range (dotted line: no change). The squeeze keeps how "
            "much of a pattern there is, not where: a mouth on the forehead gives the same weights."
        )


def _why(found) -> tuple[tuple[str, ...], str]:
    equation = (
        r"M_c = W_1\,\mathrm{ReLU}(\mathrm{BN}(W_0\,\mathrm{avg}\,F))"
        if _bam(found)
        else r"M_c = \mathrm{sigmoid}\big(\mathrm{MLP}(\mathrm{avg}\,F) + \mathrm{MLP}(\max F)\big), \quad "
        r"\mathrm{MLP}(s) = W_1\,\mathrm{ReLU}(W_0\,s)"
    )
    return (r"s_c = \frac{1}{HW}\sum_{i,j} F_{cij}", equation), (
        "A mean does not depend on the order of its terms, and the layers after it receive only the means"
        f"{'' if _bam(found) else ' and maxima'}. Squeeze-and-excitation (Hu et al. 2017) introduced this; here it is "
        f"the channel attention of {found.kind.label}. $W_0$ reduces the dimension, so weights depend on each other."
    )


def _take_away(found) -> str:
    return "Channel attention weights patterns by how much of each there is, wherever in the image it is."


LESSON = Lesson(
    key="channels",
    title="Channel attention: squeeze-and-excitation",
    question="Does channel attention depend on where a pattern is?",
    needs="CBAM or BAM",
    network=lessons.network_with_cbam,
    find=lessons.channel_attention,
    steps=Steps(_attempt, _think, _guess, _reveal, _why, _take_away),
    code=(
        "models.layers.bam:BAM.steps",
        "models.layers.cbam:CBAM.steps",
        "workbench.services.lessons:channel_attention",
    ),
)
