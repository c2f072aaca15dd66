"""The page Frequency: for each tab, how its content is computed, and the functions that do it."""

FILTER = """
A mask $M$ in the Fourier plane keeps the low frequencies; the remainder are the high frequencies.

$$
\\mathrm{low} = \\mathcal{F}^{-1}\\big(M \\odot \\mathcal{F}(x)\\big), \\qquad \\mathrm{high} = x - \\mathrm{low}
$$

With $r$ the frequency in cycles per pixel and $c$ the cut-off: *ideal* is 1 up to $c$ and 0 beyond, which causes
ringing; *gaussian* is $e^{-r^2/2c^2}$; *butterworth* is $1/(1+(r/c)^4)$. Paper D states neither filter nor cut-off.
"""
HYBRID = """
Hybrid images of two faces $a$ and $b$ (Oliva, Torralba and Schyns 2006):

$$
m = \\mathrm{low}(a) + \\mathrm{high}(b), \\qquad m' = \\mathrm{low}(b) + \\mathrm{high}(a)
$$
"""
SPLIT, MASK = "workbench.analysis.frequency:split_frequencies", "models.layers.frequency:radial_mask"
HOW = {
    "Filter": (FILTER, SPLIT, MASK),
    "Hybrid images": (FILTER + HYBRID, "workbench.analysis.frequency:swap_bands", MASK),
    "Spectrum": (
        "The plane shows $\\ln(1 + |\\mathcal{F}(x)|)$; the curve is the mean of $|\\mathcal{F}(x)|$ over each ring of "
        "frequencies.",
        "workbench.analysis.frequency:log_amplitude",
        "workbench.analysis.frequency:radial_profile",
    ),
    "Color": (
        f"{FILTER}\nEach channel by itself; the correlations are Pearson's, over the pixels of the high frequencies.",
        SPLIT,
        "workbench.analysis.frequency:likeness",
    ),
}
