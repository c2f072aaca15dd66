"""The page Attention: for each tab, how its content is computed, and the functions that do it."""

MAPS = ("workbench.analysis.attention:attention_of", "workbench.analysis.attention:rollout_of")
"""After the equations of the network's modules."""
STATISTICS = (
    """
With $g_{bi}$ the value $i$ of a gate for face $b$, its mean over faces $\\bar g_i$ and over everything $\\bar g$:

$$
\\eta^2 = \\frac{\\sum_{b,i} (\\bar g_i - \\bar g)^2}{\\sum_{b,i} (g_{bi} - \\bar g)^2}
$$

Predictions are counted again with $\\bar g_i$ in place of the gate, and without the module.
""",
    "workbench.analysis.attention:gate_statistics",
    "workbench.analysis.attention:replaced",
)
HOW = {
    "Input dependence": STATISTICS,
    "Ablation": (
        "The same forward pass, with each gate at the mean of its values for this face, or without the module: then "
        "its input passes unchanged.",
        "workbench.analysis.attention:switch_off",
    ),
    "Versus Grad-CAM": (
        "Spearman's rank correlation over positions; the coarser of two maps is resized to the finer one's size.",
        "workbench.analysis.attention:correlation_with_cams",
    ),
}
