"""The consent notice before a visitor uses the camera or an image of their own, in the workbench and in the demo."""

from __future__ import annotations

LIMITS = (
    "These networks estimate the label that annotators would give a face, not what a person feels; a map shows where "
    "evidence was found, and does not prove that these pixels caused the prediction."
)
"""The limits of the method, in one sentence."""

ACCEPT = "I have read this, and everybody in my image agrees to its use"
"""What the visitor confirms."""


NOT_FOR = (
    "Judging students, staff, applicants, patients or customers.",
    "Monitoring people who did not agree to it.",
    "Any decision about a person.",
)
"""What FERScope must not be used for."""


def where_pictures_go(shared: bool) -> str:
    """Where an uploaded image goes, in one sentence: through a tunnel, or directly to this computer."""
    way = (
        "through the servers of Gradio's tunnel to the computer of the person who shares this page"
        if shared
        else "directly to the computer that runs this page"
    )
    return f"Your image is sent {way}, is deleted there within 15 minutes, and is not shown to anybody else."


def notice(shared: bool, kept: str | None = None) -> str:
    """The whole notice as Markdown; `kept` replaces the sentence of where images go."""
    return (
        "**Before you use your own image.** FERScope shows how networks that classify facial expressions come to their "
        f"predictions. {LIMITS}\n\n"
        f"{kept or where_pictures_go(shared)} It is not used for training, and no data about you is collected "
        "or reported.\n\n"
        "In the European Union, Article 5(1)(f) of the AI Act (Regulation 2024/1689) prohibits inferring people's "
        "emotions in schools and workplaces, except for medical or safety reasons. You need not take part: the "
        "samples and drawn faces show everything that an image of yours would."
    )
