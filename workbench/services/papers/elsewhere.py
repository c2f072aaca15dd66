"""Evaluators that check a paper for internal consistency: its other figures, its averages, shares of whole images."""

from __future__ import annotations

from models.text import percentage, thousands

from . import fractions
from .definitions import Claim, Paper, figure
from .evaluators import Ours, evaluator, words


@evaluator
def _same(claim: Claim, paper: Paper) -> Ours:
    other = paper.claim(claim.given["as"])
    return Ours("own", other.text, f"{other.place}, same paper", other.plain)


@evaluator
def _difference(claim: Claim, paper: Paper) -> Ours:
    first, second = (paper.claim(claim.given[key]) for key in ("first", "second"))
    value = figure(first.claimed) / first.scale - figure(second.claimed) / second.scale
    return Ours("own", words(claim, value), f"{first.text} minus {second.text}, {first.place}, same paper", value)


@evaluator
def _rest(claim: Claim, paper: Paper) -> Ours:
    less = paper.claim(claim.given["less"])
    value = claim.given["of"] - less.value
    return Ours("own", thousands(int(value)), f"{claim.given['of']} minus {less.text}", value)


@evaluator
def _product(claim: Claim, paper: Paper) -> Ours:
    a, b = claim.given["factors"]
    return Ours("own", thousands(a * b), f"{a} × {b}", a * b)


@evaluator
def _reads(claim: Claim, paper: Paper) -> Ours:
    text = claim.given.get("shown", f"“{claim.given['other']}”")
    return Ours("own", text, f"{claim.given['where']}, same paper", holds=False)


@evaluator
def _mean(claim: Claim, paper: Paper) -> Ours:
    table = paper.table(claim.given["table"])
    value = fractions.mean_of_row(table, claim.given["row"]) / 100
    return Ours("own", percentage(value, 2), "mean of the printed row", value)


@evaluator
def _test_pictures(claim: Claim, paper: Paper) -> Ours:
    table = paper.table(claim.given["table"])
    n, free = fractions.least(table), fractions.free(table)
    text = f"at least {n}; {', '.join(free)}, always 100 %, may be any number" if free else str(n)
    way = "smallest class sizes for which all printed figures are possible"
    printed = figure(claim.claimed)
    return Ours("own", text, way, holds=n <= printed if free else n == printed)


@evaluator
def _whole_row(claim: Claim, paper: Paper) -> Ours:
    table = paper.table(claim.given["table"])
    found = fractions.counted(table, claim.given["row"])
    accuracy = percentage(found.accuracy[0], 2)
    plain = f"{sum(found.right)} of {thousands(sum(found.of))} correct, accuracy {accuracy}"
    odd = ", ".join(f"none gives {class_} {printed}, the nearest is {near}" for class_, printed, near in found.odd)
    return Ours("exact", odd or plain, "k/n for integers k, n test images of each class", holds=not odd)


@evaluator
def _whole_pictures(claim: Claim, paper: Paper) -> Ours:
    n = fractions.test_pictures(claim.given["class"])
    found = fractions.shares(claim.claimed, n)
    k = found[0] if found else fractions.nearest(claim.claimed, n)
    text = (
        f"{thousands(k)} of {thousands(n)}"
        if found
        else f"the nearest is {k} of {thousands(n)}, {percentage(k / n, 2)}"
    )
    return Ours("exact", text, "k/n for integers k, n images of both official test sets", holds=bool(found))
