"""What a visitor is told before using a camera or a picture of his own, the same in the workbench and in the demo."""

from __future__ import annotations

LIMITS = (
    "A network here names what raters would call a face, not what a person feels; a map shows where it found evidence, "
    "and does not prove that these pixels decided."
)
"""The limits of the method, in one sentence."""

ACCEPT = "I have read this, and everybody in my picture agrees to it"
"""What the visitor confirms."""


def where_pictures_go(shared: bool) -> str:
    """Where an uploaded picture goes, in one sentence: through a tunnel, or straight to the computer that answers."""
    way = (
        "through the servers of Gradio's tunnel to the computer of the person who shares this page"
        if shared
        else "straight to the computer that runs this page"
    )
    return f"Your picture travels {way}, is deleted there within 15 minutes, and is shown to nobody else."


def notice(shared: bool, kept: str | None = None) -> str:
    """The whole notice as Markdown; `kept` replaces the sentence of where pictures go."""
    return (
        "**Before you use your own face.** FERScope shows how networks that name facial expressions come to their "
        f"answers. {LIMITS}\n\n"
        f"{kept or where_pictures_go(shared)} Nothing is used for training, and nothing about you is counted or "
        "reported.\n\n"
        "In the European Union, Article 5(1)(f) of the AI Act (Regulation 2024/1689) prohibits inferring people's "
        "emotions in schools and workplaces, with medical and safety uses excepted. You need not take part: the "
        "samples and the drawn faces show everything that your own face would."
    )
