"""The page Debug challenge: how its content is computed, and the functions that do it."""

from workbench.services.debug_challenge import FAULTS

HOW = (
    f"""
Possible faults: {", ".join(fault.title.lower() for fault in FAULTS.values())}. The number of the challenge decides
which one, the same for everybody who opens this link; successive numbers cycle through all of them. The network of the
other pages is not modified: a fault is in the input, in how the output is read, or in a copy.

**Batch normalization** in training mode uses the mean and the variance of the batch $B$:

$$
y = \\gamma\\,\\frac{{x - \\mu_B}}{{\\sqrt{{\\sigma_B^2 + \\varepsilon}}}} + \\beta
$$
""",
    "workbench.services.debug_challenge:explain_with_fault",
    "workbench.services.debug_challenge:_in_training",
)
