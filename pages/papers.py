"""Papers: the claims of the five papers, each with a verdict."""

from functools import partial

from workbench.ui import page_content, papers, views
from workbench.ui.how_computed.papers import HOW

views.title("Papers", "What do the papers claim, and do the claims hold?")


@page_content.fragment
def main() -> None:
    letter = papers.choose()
    papers.source(letter)
    views.tabs(
        {
            "Findings": partial(findings, letter),
            "Claims": partial(claims, letter),
            "Per class": partial(papers.classes, letter),
            "Rankings": partial(papers.rankings, letter),
        },
        {"verdict": "Claims", "table": "Per class", "row": "Per class"},
        HOW,
    )


def findings(letter: str) -> None:
    papers.overview()
    papers.findings(letter)


def claims(letter: str) -> None:
    papers.table(letter)
    papers.commands(letter)


main()
