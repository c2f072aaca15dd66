"""The page Dataset: for each tab, how its content is computed, and the functions that do it."""

HOW = {
    "Classes": ("The images of each class and split are counted.", "workbench.services.dataset.contents:contents"),
    "Labels": (
        "A majority is more than half of FER+'s ten votes (Barsoum et al. 2016). A label is likely wrong where "
        "networks that were not trained on the image give another class a much higher probability: confident learning "
        "(Northcutt et al. 2021).",
        "workbench.services.metrics.annotators:annotator_agreement",
        "models.label_noise:find_label_noise",
    ),
    "Leakage": (
        "Duplicates have the same SHA-256 hash of their pixels. Near-duplicates differ in at most 8 of 63 bits of a "
        "perceptual hash (low frequencies of the cosine transform, compared with their median), and their gray values "
        "correlate with at least 0.9.",
        "models.datasets.duplicates:near_pairs",
        "models.datasets.audit:audit",
    ),
    "Augmentation": (
        "Each version draws the steps of the augmentation anew, with the random seed of its row.",
        "workbench.services.dataset.class_imbalance:changed",
    ),
    "Weights": (
        """
*Inverse* weight of a class with $n_c$ of $N$ images and $K$ classes, and its share of the loss:

$$
w_c = \\frac{N}{K\\,n_c}, \\qquad s_c = \\frac{w_c\\,n_c}{\\sum_k w_k\\,n_k}
$$
""",
        "models.datasets.sampling:class_weights",
        "models.datasets.sampling:inverse_weights",
    ),
}
