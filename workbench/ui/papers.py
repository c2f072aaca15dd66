"""Sections of the page Papers: verdicts, findings, the table of claims, per-class figures, commands."""

from __future__ import annotations

import io
from collections import Counter
from functools import partial

import streamlit as st

from models.tables import write_rows
from models.text import counted
from workbench import services
from workbench.markup import render
from workbench.services import papers
from workbench.services.metrics import leaderboard
from workbench.services.metrics import rankings as ranked
from workbench.services.papers import VERDICTS, Checked, Finding

from . import charts, page_content, views

_ALL = "all"
_A_PAGE = 7  # claims


def overview() -> None:
    """Draw the number of claims of each paper by verdict."""
    with st.spinner("Checking every claim"):
        counts = papers.summary()
    named = {f"{paper.letter}  {paper.short}": counts[paper.letter] for paper in papers.papers()}
    all_ = Counter({verdict: sum(by[verdict] for by in counts.values()) for verdict in VERDICTS})
    st.html(render("claims.html", colors=charts.VERDICT_COLORS, verdicts=VERDICTS, claims=()))
    charts.show(charts.verdicts(named), "verdicts", "Claims of each paper by verdict")
    views.caption(
        f"**Of {all_.total()} claims {all_['recomputed']} are recomputed, {all_['reproduced'] or 'none'} reproduced, "
        f"{all_['not reproduced']} not reproduced, {all_['inconsistent in the paper']} inconsistent in the paper.** "
        f"Open: {all_['not run']} not run, {all_['different protocol']} under a different protocol, "
        f"{all_['not reproduced under our choices']} not reproduced where the paper leaves values open."
    )
    st.caption(
        "Blue: the claim holds (recomputed: arithmetic and counts, which need no training; reproduced: our own "
        "training runs). Gray and yellow: open. Orange and red: it does not hold."
    )
    if left_out := leaderboard.left_out():
        st.caption(left_out)
    with st.expander("What the verdicts mean"):
        st.markdown("\n".join(f"- *{name}*: {meaning}." for name, meaning in VERDICTS.items()))


def choose() -> str:
    """Let the visitor choose a paper; return its letter."""
    letters = [paper.letter for paper in papers.papers()]
    return views.choose_one("Paper", letters, default="A", key="paper")


def source(letter: str) -> None:
    """Draw authors, title and source of the paper, as far as the text states them."""
    paper = papers.paper_of(letter)
    named = f"{paper.authors}: *{paper.title}*. " if paper.title else ""
    st.caption(f"**Paper {letter}.** {named}{paper.source[0].upper()}{paper.source[1:]}.")


def findings(letter: str) -> None:
    """Draw the notable findings, each in an expander."""
    for finding in papers.paper_of(letter).findings:
        with st.expander(finding.title):
            st.markdown(papers.told(finding, letter))
            if finding.table == "plain":
                _plain(letter)
            _beside(finding, letter)


def _beside(finding: Finding, letter: str) -> None:
    wanted = {papers.paper_of(letter).claim(id).id for id in finding.claims}
    chosen = [checked for checked in papers.check(letter) if checked.claim.id in wanted]
    if chosen:
        st.html(_table(chosen))


def _plain(letter: str) -> None:
    rows = [
        f"| {row.set} | {row.model} | {row.average} | {row.right} of {row.of} | {charts.interval(row.accuracy)} |"
        for row in papers.plain_rows(letter)
    ]
    head = "| dataset | network | average of class accuracies, % | correct | accuracy, % |\n|---|---|---:|---:|---:|"
    st.markdown("\n".join([head, *rows]))


@page_content.fragment
def table(letter: str) -> None:
    """Draw a table of the claims of a paper without per-class figures: claimed, ours, verdict, how it was obtained."""
    verdict = views.choose_one("Verdict", (_ALL, *VERDICTS), default=_ALL, key="verdict")
    single = [checked for checked in papers.check(letter) if not _of_a_class(checked)]
    chosen = [checked for checked in single if verdict in (_ALL, checked.verdict)]
    if chosen:
        pages = -(-len(chosen) // _A_PAGE)
        page = 1
        if pages > 1:
            page = st.number_input(f"Page (1 to {pages})", 1, pages, key=f"claims-{letter}-{verdict}", width=180)
        st.html(_table(chosen[(page - 1) * _A_PAGE : page * _A_PAGE]))
        page_content.add_text(_as_markdown(chosen))
    else:
        st.info(f"No claim of paper {letter} in this table has the verdict “{verdict}”. Choose another verdict.")
    more = len(papers.check(letter)) - len(single)
    views.caption(
        f"**{len(chosen)} of {counted(len(single), 'claim')}"
        + (f"; {more} more, per class and averages, are in the next tab" if more else "")
        + ".** A verdict is about a printed figure, not about the quality of the idea."
    )
    st.download_button(
        "All claims of this paper (CSV)", partial(_csv, letter), f"ferscope-paper-{letter.lower()}.csv", "text/csv"
    )


def _csv(letter: str) -> str:
    text = io.StringIO()
    write_rows(text, [("id", "place", "what", "claimed", "ours", "verdict", "way")])
    checked = papers.check(letter)
    write_rows(
        text, ((c.claim.id, c.claim.place, c.claim.what, c.claim.text, c.ours, c.verdict, c.way) for c in checked)
    )
    return text.getvalue()


def _as_markdown(chosen: list[Checked]) -> str:
    rows = [(c.claim.what, c.claim.place, c.claim.text, c.ours, c.verdict, c.way) for c in chosen]
    lines = ["| claim | where | claimed | ours | verdict | how obtained |", "|---|---|---|---|---|---|"]
    return "\n".join(lines + [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows])


def _of_a_class(checked: Checked) -> bool:
    return checked.claim.row is not None and checked.claim.protocol is not None


def _table(chosen: list[Checked]) -> str:
    return render("claims.html", colors=charts.VERDICT_COLORS, verdicts=(), claims=chosen)


@page_content.fragment
def classes(letter: str) -> None:
    """Draw per-class figures, for a paper that prints them."""
    tables = {table.set: table for table in papers.paper_of(letter).tables}
    if not tables:
        st.info(f"Paper {letter} has no complete table of single classes.")
        return
    left, right = st.columns(2)
    set_ = views.choose_one("Dataset", tables, default=next(iter(tables)), key="table", container=left)
    table = tables[set_]
    rows = {row.model: row for row in table.rows}
    model = right.selectbox("Network", rows, key="row", bind="query-params")
    found = [c for c in papers.check(letter) if c.claim.row == f"{table.id}/{rows[model].id}" and _of_a_class(c)]
    by_class = {checked.claim.class_ or "average": checked for checked in found}
    columns = (*table.classes, "average")
    claimed = [by_class[name].claim.value if name in by_class else None for name in columns]
    ours = {name: (c.value, *c.interval) for name, c in by_class.items() if c.value is not None}
    text = f"Recall of each class on {set_}, {model}: claimed and ours"
    charts.show(charts.claimed_and_ours(columns, claimed, ours), "classes", text)
    views.caption(_about_classes(found))
    with st.expander("The same as a table"):
        st.html(_table(found))


def _about_classes(found: list[Checked]) -> str:
    way = found[-1].way
    if found[-1].verdict == "not run":
        return (
            "**Bars: the paper's figures; ours were not run.** The commands below train the closest protocol that is "
            "available here."
        )
    return (
        "**Bars: the paper's figures; diamonds: ours, with 95 % intervals over test images and random seeds.** Under a "
        f"different protocol a difference says nothing about the paper. {way}"
    )


def rankings(letter: str) -> None:
    """Draw how networks that the paper ranks do here, where they were trained alike; and what was not run."""
    with st.spinner("Comparing networks"):
        known, left = ranked.rankings(), ranked.rankings_not_run()
    rows = [_ranking(one) for one in known if one.paper == letter]
    if rows:
        st.markdown("\n".join([_RANKING_HEAD, *rows]))
        views.caption(
            "**In percentage points, with 95 % intervals over test images.** Both networks were trained with the same "
            "settings and are compared on the same images, single view. A ranking holds, or is reversed, if every "
            "seed's interval excludes zero."
        )
    else:
        st.info(f"No two networks that paper {letter} ranks were trained alike here.")
    if mine := [f"{_title(a)} over {_title(b)}" for a, b in left if services.networks.get_spec(a).paper == letter]:
        with st.expander(f"{counted(len(mine), 'ranking was', 'rankings were')} not run: trained with other settings"):
            st.markdown("\n".join(f"- {pair}" for pair in mine))


_RANKING_HEAD = (
    "| ranking in the paper | measure | paper's difference | ours, by seed | trained by | verdict |\n"
    "|---|---|---:|---:|---|---|"
)


def _ranking(one: ranked.Ranking) -> str:
    ours = "; ".join(charts.interval(value, signed=True) for value in one.by_seed.values())
    order, measure = f"{_title(one.first)} over {_title(one.second)}", one.measure.replace("_", " ")
    return f"| {order} | {measure} | {100 * one.claimed:+.1f} | {ours} | {one.recipe}, {one.split} | {one.verdict} |"


def _title(name: str) -> str:
    return services.networks.get_spec(name).title


def commands(letter: str) -> None:
    """Draw the commands that would test the claims that were not run."""
    waiting = papers.commands(letter)
    if not waiting:
        return
    with st.expander("Commands for claims that were not run"):
        st.markdown(
            "Each command trains one network as close to the paper's protocol as possible here; this page then shows "
            "the result."
        )
        for lacks in dict.fromkeys(command.lacks for command in waiting):
            mine = [command for command in waiting if command.lacks == lacks]
            st.markdown(f"**{', '.join(dict.fromkeys(c.set for c in mine))}.** {lacks}")
            st.code("\n".join(command.line for command in mine), language="bash", wrap_lines=True)
