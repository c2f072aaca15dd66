"""Squeeze-and-excitation, channel attention: it knows how much there is, and not where."""

from workbench.services import lessons

from .. import charts, views
from .commitment import Choice
from .steps import Lesson, Steps, count, side_by_side


def _attempt(found, words, pictures) -> None:
    with words:
        n = count("Channel, by its weight", len(found.weights), 1, "channel")
        c = int(found.weights.argsort(descending=True)[n - 1])
        open_ended = " (in BAM a sigmoid follows, after the weight of the place was added)" if _bam(found) else ""
        views.caption(
            "**Squeeze:** each channel is summed up by its mean. **Excitation:** two small layers make one weight a "
            f"channel of all these means{open_ended}. Channel {c} has the mean {float(found.map_[c].mean()):.3f} and "
            f"the weight {float(found.weights[c]):.3f}. A large weight says that this module lets more of the channel "
            "through, not that the answer needs it."
        )
    ranked = charts.channel_weights(found.weights, "weight", (None, None) if _bam(found) else (0, 1), in_order=False)
    side_by_side(
        pictures,
        (charts.signed(found.map_[c], "value"), "channel-map", f"What arrives in channel {c}"),
        (charts.marked(ranked, {f"channel {c}": (n - 1, charts.ANSWER)}), "weights", "The weight of every channel"),
    )


def _bam(found) -> bool:
    return found.kind.residual


def _think(found, pictures) -> None:
    side_by_side(
        pictures,
        (charts.signed(found.map_.mean(0), "mean"), "arrives", "The map as it arrives, mean of all channels"),
        (charts.signed(found.shuffled.mean(0), "mean"), "shuffled", "The same with its places shuffled"),
    )


def _guess(found) -> Choice:
    options = {
        "none": "Not at all",
        "some": "Somewhat: less than half of the range of the weights",
        "most": "Entirely: other channels are turned up",
    }
    return Choice(
        "Now the places of the map are shuffled, all channels alike: no face is left in it. How do the weights of the "
        "channels change?",
        options,
        "none" if found.change < 0.01 else "some" if found.change < 0.5 else "most",
    )


def _reveal(found, said, words, pictures) -> None:
    small = "under a millionth" if found.change < 1e-6 else charts.percent(found.change)
    figure = charts.before_and_after(found.weights, found.after, ("weight before", "weight after"))
    side_by_side(
        pictures,
        (charts.signed(found.shuffled.mean(0), "mean"), "shuffled", "The map with its places shuffled"),
        (figure, "before-after", "The weight of each channel before and after the shuffle"),
    )
    with words:
        views.caption(
            f"The largest change of a weight is {small} of their range. Dots on the dotted line did not "
            "move. The squeeze keeps how much of a pattern there is and loses where, so a mouth on the forehead is as "
            "good to it as a mouth. Other parts of the network may see the difference."
        )


def _why(found) -> tuple[tuple[str, ...], str]:
    equation = (
        r"M_c = W_1\,\mathrm{ReLU}(\mathrm{BN}(W_0\,\mathrm{avg}\,F))"
        if _bam(found)
        else r"M_c = \sigma\big(\mathrm{MLP}(\mathrm{avg}\,F) + \mathrm{MLP}(\max F)\big), \quad "
        r"\mathrm{MLP}(s) = W_1\,\mathrm{ReLU}(W_0\,s)"
    )
    return (r"s_c = \frac{1}{HW}\sum_{i,j} F_{cij}", equation), (
        "A mean does not change when its terms change places, and all that follows sees only the means"
        f"{'' if _bam(found) else ' and maxima'}. Squeeze-and-excitation (Hu et al. 2017) is the first of its kind; "
        f"this is the channel part of {found.kind.label}. $W_0$ makes few numbers of many, so channels are weighed "
        "together."
    )


def _take_away(found) -> str:
    return "Channel attention turns patterns up and down by how much of each there is, wherever in the picture it is."


LESSON = Lesson(
    key="channels",
    title="Channel attention: which maps count",
    question="What does channel attention know?",
    needs="channel attention (BAM or CBAM)",
    network=lambda chosen: lessons.network_for(chosen, lessons.weighs_channels_and_places),
    find=lessons.channels,
    steps=Steps(_attempt, _think, _guess, _reveal, _why, _take_away),
    code=("models.layers.bam:BAM.steps", "models.layers.cbam:CBAM.steps", "workbench.services.lessons:channels"),
)
