"""The page SVD: for each tab, how its content is computed, and the functions that do it."""

HOW = {
    "Low rank": (
        """
$$
x = \\sum_{i=1}^{n}\\sigma_i\\,u_i v_i^{\\top}, \\qquad \\sigma_1 \\ge \\sigma_2 \\ge \\dots \\ge 0
$$

The rank-$k$ approximation is the sum of the first $k$ terms. Signs are fixed so that the entry of $u_i$ with the
largest absolute value is positive.
""",
        "workbench.analysis.svd:rank_k",
        "workbench.analysis.svd:response_to_rank",
    ),
    "SVD attention": (
        """
$$
\\tilde x = C_{1\\times 1}(x), \\quad h = \\mathcal{F}^{-1}\\big(H \\odot \\mathcal{F}(\\tilde x)\\big)
$$

$$
a = \\mathrm{sigmoid}\\big(C_{7\\times 7}(\\sigma_h\\,\\sigma_x^{\\top})\\big), \\quad x' = a \\odot x
$$

$H$ keeps the frequencies of the query, $\\sigma$ are singular values.
""",
        "models.layers.svd_attention:SVDAttention.steps",
        "models.layers.svd_attention:SVDAttention.forward",
    ),
    "Results": (
        "Accuracies from the stored predictions of each checkpoint, with Wilson intervals, or over seeds with "
        "Student's $t$. Memory: float32 numbers of the two products for maps of $s \\times s$, which have $(s^2)^2$ "
        "and $s^2$.",
        "workbench.services.svd:gains",
        "workbench.analysis.attention:memory_account",
    ),
}
