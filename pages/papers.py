"""Papers: what do the papers claim, and does it hold?"""

import streamlit as st

from workbench.ui import claim_views, views

views.title(
    "What do the papers claim, and does it hold?",
    "Every figure of the five papers that can be compared with anything, beside ours: counted, drawn or measured now.",
)
claim_views.overview()
letter = claim_views.choose()
claim_views.source(letter)
claim_views.findings(letter)
claim_views.table(letter)
claim_views.classes(letter)
claim_views.commands(letter)

with views.computed(
    "workbench.services.claims:judge",
    "workbench.services.claims.fractions:agrees",
    "workbench.services.claims.fractions:shares",
    "workbench.services.claims.trained:differences",
):
    st.markdown(
        "The claims stand in `workbench/claims/` as printed, without anything of ours; each names how ours is "
        "obtained. A count agrees where it is the printed one, rounded or cut off. A measured figure $p$ is reproduced "
        "where"
    )
    st.latex(r"p_\text{low} \le p_\text{claimed} \le p_\text{high}")
    st.markdown(
        "with the 95 % interval of our test pictures (Wilson for shares, bootstrap for means of classes), and only "
        "where split, epochs, input size, optimiser and what else the paper says agree with ours. A figure of a class "
        "of $n$ pictures is $k/n$ for a whole number $k$: where no $k$ fits, it is misprinted or was measured on other "
        "pictures."
    )
