"""Papers: the claims of the five papers, each with a verdict."""

from functools import partial

from workbench.ui import papers, views
from workbench.ui.how_computed.papers import HOW

views.title("Papers", "What do the papers claim, and do the claims hold?")
letter = papers.choose()
papers.source(letter)


def findings() -> None:
    papers.overview()
    papers.findings(letter)


def claims() -> None:
    papers.table(letter)
    papers.commands(letter)


views.tabs(
    {
        "Findings": findings,
        "Claims": claims,
        "Per class": partial(papers.classes, letter),
        "Rankings": partial(papers.rankings, letter),
    },
    {"verdict": "Claims", "table": "Per class", "row": "Per class"},
    HOW,
)
