"""The page Robustness: for each tab, how its content is computed, and the functions that do it."""

HOW = {
    "Corruptions": (
        """
With $T_v$ the perturbation of strength $v$ (Hendrycks and Dietterich 2019), each point is

$$
p_c(v) = \\mathrm{softmax}_c\\big(f(T_v(x)) / T\\big), \\quad T\\ \\text{the card's temperature}
$$
""",
        "workbench.analysis.robustness:response",
        "workbench.analysis.corruptions:warped",
    ),
    "Occlusion": (
        """
The mean (Zeiler and Fergus 2014) over all patches $P$ that contain the pixel $u$ of

$$
d_c(P) = p_c(x) - p_c(x\\ \\text{with}\\ P\\ \\text{in the image's mean gray})
$$

or the same difference of the logits $y_c$.
""",
        "workbench.analysis.robustness:occlusion",
    ),
    "Crop": (
        "The square is cropped from the whole image again, padded by repeating the edge. Similarity of the maps: "
        "Spearman's rank correlation over the region that both crops contain.",
        "workbench.services.framing:framed",
        "workbench.services.framing:map_correlation",
    ),
    "Rotation": (
        "The accuracy on the test images, all rotated by the angle, with Wilson intervals; measured once and stored.",
        "workbench.analysis.robustness:accuracy_curve",
    ),
    "Adversarial": (
        """
With $g$ gray levels, $ε = g/255$, and $L$ the margin of the other classes,

$$
\\text{FGSM: } x' = x + \\varepsilon\\,\\mathrm{sign}\\,\\nabla_x L, \\qquad
\\text{PGD: } x_{t+1} = \\Pi_{\\|x' - x\\|_\\infty \\le \\varepsilon}
\\big(x_t + \\tfrac{\\varepsilon}{4}\\,\\mathrm{sign}\\,\\nabla_{x_t} L\\big)
$$
""",
        "workbench.analysis.adversarial:smallest_change",
    ),
}
