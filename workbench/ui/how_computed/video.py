"""The page Video: how its content is computed, and the functions that do it."""

HOW = (
    "Every frame is decoded, its faces are detected and classified one by one. A face keeps its number as long as its "
    "box lies near the last one; no probability is smoothed over time.",
    "workbench.services.video:Watch.see",
    "workbench.faces.tracks:Tracks.update",
    "workbench.decoders.video:_sampled",
)
