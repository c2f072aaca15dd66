"""The page Metrics: for each tab, how its content is computed, and the functions that do it."""

HOW = {
    "Overview": (
        """
With $c_{ij}$ images of class $i$ predicted as $j$, and $N$ images in total, recall and precision are:

$$
r_k = \\frac{c_{kk}}{\\sum_j c_{kj}}, \\qquad p_k = \\frac{c_{kk}}{\\sum_i c_{ik}}
$$

$$
\\text{balanced accuracy} = \\frac1K\\sum_k r_k, \\qquad
\\text{macro F1} = \\frac1K\\sum_k\\frac{2\\,p_k r_k}{p_k+r_k}
$$

$$
\\kappa = \\frac{a-e}{1-e}, \\qquad a = \\sum_k \\frac{c_{kk}}{N}, \\qquad
e = \\sum_k \\frac{\\sum_j c_{kj}\\,\\sum_i c_{ik}}{N^2}
$$

Intervals: Wilson for shares, else percentile bootstrap (Efron 1979), 1 000 draws stratified by class.
""",
        "workbench.services.metrics.evaluation:scores",
        "models.metrics:measure",
        "models.metrics:bootstrap",
        "workbench.services.metrics.evaluation:_chance",
    ),
    "Confusion matrix": (
        "Cell $(i, j)$ counts the images of label $i$ predicted as $j$; its color is the share of row $i$. The images "
        "of a cell are grouped by the majority of FER+'s ten votes (Barsoum et al. 2016).",
        "workbench.services.metrics.confusion:cell",
    ),
    "Calibration": (
        """
Calibration error over bins $b$ of confidence with $n_b$ of $N$ predictions (Guo et al. 2017, section 2):

$$
\\mathrm{ECE} = \\sum_b \\frac{n_b}{N}\\,\\big|\\mathrm{accuracy}_b - \\mathrm{confidence}_b\\big|
$$

Temperature scaling divides the logits by one number $T$, which minimizes the cross-entropy on PublicTest. The
risk–coverage curve is the share of errors among the most confident predictions.
""",
        "models.calibration:reliability",
        "models.calibration:fit_temperature",
        "models.calibration:risk_coverage",
    ),
    "Curves": (
        "Accuracy and loss as the training run recorded them after each epoch; nothing is computed again here.",
        "workbench.services.metrics.training_curves:history",
    ),
    "Mean maps": (
        "For each image the Grad-CAM $L$ of its predicted class, divided by its maximum; then mean and standard "
        "deviation over the images that are predicted as the class, correctly or wrongly.",
        "workbench.analysis.mean_maps:mean_maps",
    ),
    "Embedding": (
        "Features before the last layer, projected to principal components of the training set; then the first two, or "
        "t-SNE of all of them (van der Maaten and Hinton 2008).",
        "workbench.surveys.features:survey_features",
        "workbench.services.metrics.test_set_views:embedding",
    ),
    "Groups": (
        "Accuracy and recall of each group with Wilson intervals. Whether the largest difference could be chance: "
        "chi-square or permutation test.",
        "models.subgroups:subgroups",
    ),
    "Leakage": (
        "Accuracy on the test images without those that are in the training set too, and on these alone, with Wilson "
        "intervals.",
        "workbench.services.metrics.paired_tests:leak_effects",
    ),
    "Significance": (
        "McNemar's test (1947): of $n$ images that exactly one of two networks classifies correctly, the first is "
        "correct on $x$; if both were equally accurate, $x$ would be binomial with $p = 1/2$. Intervals: percentile "
        "bootstrap (Efron 1979), 1 000 draws stratified by class.",
        "workbench.services.metrics.paired_tests:pair",
    ),
}
