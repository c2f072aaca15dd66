"""The page Papers: for each tab, how its content is computed, and the functions that do it."""

VERDICTS = """
The claims are in `workbench/papers/` as printed, each with how our figure is obtained. A count is confirmed if it
equals the printed one, rounded or truncated. A measured figure $p$ is reproduced if

$$
p_\\text{low} \\le p_\\text{claimed} \\le p_\\text{high}
$$

with our 95 % interval, and only where split, epochs, input size, optimizer and everything else that the paper states
agree with ours. Where it leaves a value open, ours is a choice: outside the interval it is *not reproduced under our
choices*. A technique that a paper does not mention counts as not used.
"""
SEEDS = """
With one training run the interval covers the test images (Wilson for shares, bootstrap for means of classes). With $S$
random seeds it is that of their mean $\\bar p$, for test images and seeds together:

$$
p_\\text{low,high} = \\bar p \\mp \\sqrt{w^2 + \\left(t_{0.975,\\,S-1}\\, s / \\sqrt{S}\\right)^2}
$$

where $w$ is the seeds' mean half-width over test images and $s$ their standard deviation. With two seeds $t = 12.7$:
the interval is wide, and *reproduced* says little.
"""
JUDGED = (
    VERDICTS + SEEDS,
    "workbench.services.papers:judge",
    "workbench.services.papers.fractions:agrees",
    "workbench.services.papers.protocols:differences",
    "workbench.services.papers.trained:combined",
)
HOW = {
    "Findings": JUDGED,
    "Claims": JUDGED,
    "Per class": (
        f"The recall of a class of $n$ images is $k/n$ for an integer $k$: if no $k$ fits, it is misprinted or was "
        f"measured on other images.\n{SEEDS}",
        "workbench.services.papers.fractions:shares",
        "workbench.services.papers.trained:combined",
    ),
    "Rankings": (
        "The difference of two networks of the same recipe, split, epochs and random seed, on the same test images: "
        "its interval is a bootstrap of these images (Efron 1979).",
        "workbench.services.metrics.paired_tests:pair",
    ),
}
