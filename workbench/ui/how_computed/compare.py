"""The page Compare: for each tab, how its content is computed, and the functions that do it."""

MAPS = """
**Maps:** Grad-CAM as on the page Explain, each for the target layer of its network (figure 9 of paper D compares
networks with and without attention in this way).

**Similarity:** Spearman's rank correlation, the Pearson correlation of the ranks $r$ of all pixels:

$$
\\rho = \\frac{\\mathrm{cov}(r_1, r_2)}{\\mathrm{sd}(r_1)\\,\\mathrm{sd}(r_2)}
$$
"""
DIFFERENCE = """
**Difference:** each map divided by the maximum $m$ that gets the brightest color:

$$
D = \\frac{L_1}{m_1} - \\frac{L_2}{m_2} \\in [-1, 1]
$$
"""
CODE = ("workbench.services.compare:compare", "workbench.analysis.attention:correlation_with_cams")
HOW = {"Maps": (MAPS, *CODE), "Difference": (MAPS + DIFFERENCE, *CODE)}
