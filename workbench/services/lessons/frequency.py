"""The lesson on frequencies: the cut-off frequency that suffices for the prediction."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ...analysis.frequency import FrequencyImages, frequency_images, radial_profile, split_frequencies
from ...faces import Face
from ..frequency import FrequencyResponse, frequency_response
from ..networks import open_network
from .common import Symbol, symbol


@dataclass(frozen=True, eq=False)
class LowFrequencies:
    """Predictions for the low-frequency component of a face.

    Attributes:
        pixels: the input of the network in 0..1, (S, S).
        response: its predictions by cut-off frequency.
        predicted: the prediction for the full image.
        enough: lowest cut-off from which on low frequencies alone give that prediction, in cycles per pixel; None if
            not even the highest one does.
        symbols: symbols of the equation, at the cut-off `enough` or else the highest.
    """

    pixels: Tensor
    response: FrequencyResponse
    predicted: str
    enough: float | None
    symbols: tuple[Symbol, ...]

    def parts(self, cutoff: float) -> FrequencyImages:
        """The face split at a cut-off into low- and high-frequency component."""
        return frequency_images(self.pixels, cutoff)


def low_frequencies(face: Face, network: str) -> LowFrequencies:
    """The cut-off from which on the prediction equals that for the whole face."""
    response = frequency_response(face, network)
    best = int(response.whole.argmax())
    differs = (response.low.argmax(1) != best).nonzero()
    last = int(differs[-1]) if len(differs) else -1  # the last cut-off with another prediction
    at = min(last + 1, len(response.cutoffs) - 1)
    cutoff, pixels = float(response.cutoffs[at]), open_network(network).see(face)
    _, low = split_frequencies(pixels, cutoff)
    radius, amplitude = radial_profile(pixels)
    return LowFrequencies(
        pixels,
        response,
        response.classes[best],
        cutoff if last < at else None,
        (
            symbol("x", "face, gray values from 0 to 1", pixels),
            symbol(r"\mathcal{F}(x)", "amplitude spectrum", amplitude),
            symbol("r", "frequency, cycles per pixel", radius),
            symbol("M", "mask, 1 up to the cut-off", (radius <= cutoff).float()),
            symbol(r"\mathrm{low}", "low-frequency component at that cut-off", low),
            symbol("p", "probabilities for it", response.low[at]),
        ),
    )
