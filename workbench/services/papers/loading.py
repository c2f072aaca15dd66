"""Load the claims of the five papers from `workbench/papers/*.toml`."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib import resources
from typing import Any

from .definitions import Claim, Finding, Paper, Protocol, Row, Table

_OPTIONAL = ("network", "within", "contradicts", "choice", "shown", "note")


@lru_cache(maxsize=1)
def papers() -> tuple[Paper, ...]:
    """The five papers with all their claims, A to E."""
    folder = resources.files("workbench") / "papers"
    return tuple(_paper(tomllib.loads((folder / f"{letter}.toml").read_text(encoding="utf-8"))) for letter in "abcde")


def _paper(data: dict) -> Paper:
    letter = data["letter"]
    protocols = {
        name: _protocol(f"paper-{letter.lower()}-{name}", data["protocol"][name], data["protocol"])
        for name in data.get("protocol", {})
    }
    single = tuple(_claim(letter, values, protocols) for values in data["claim"])
    tests = {claim.id: int(claim.value) for claim in single if claim.value is not None}
    tables = tuple(_table(letter, values, tests) for values in data.get("table", ()))
    rows = tuple(
        claim
        for table, values in zip(tables, data.get("table", ()), strict=True)
        for row, given in zip(table.rows, values["row"], strict=True)
        for claim in _of_row(letter, table, row, protocols[given.get("protocol", values["protocol"])])
    )
    findings = tuple(
        Finding(f["title"], " ".join(f["text"].split()), tuple(f["claims"]), f.get("table", ""))
        for f in data.get("finding", ())
    )
    about = {key: data[key] for key in ("short", "title", "authors", "source")}
    return Paper(letter, **about, claims=single + rows, tables=tables, findings=findings)


def _protocol(name: str, own: dict, all_: dict) -> Protocol:
    chain = [own]
    while "like" in chain[0]:
        chain.insert(0, all_[chain[0]["like"]])
    merged = {key: value for protocol in chain for key, value in protocol.items()}
    train = {key: value for protocol in chain for key, value in protocol.get("train", {}).items()}
    return Protocol(name, merged["set"], merged["recipe"], train, tuple(merged.get("unstated", ())), merged["lacks"])


def _claim(letter: str, values: dict, protocols: dict[str, Protocol]) -> Claim:
    ours = dict(values["ours"])
    return Claim(
        id=f"{letter.lower()}-{values['id']}",
        paper=letter,
        by=ours.pop("by"),
        given=ours,
        unit=values.get("unit", ""),
        protocol=protocols[values["protocol"]] if "protocol" in values else None,
        **{key: values[key] for key in ("place", "what", "claimed")},
        **{key: values[key] for key in _OPTIONAL if key in values},
    )


def _table(letter: str, values: dict, tests: dict[str, int]) -> Table:
    names = ("id", "model", "network", "average", "best_epoch", "gain", "plain")
    rows = tuple(
        Row(values=tuple(row["values"]), **{name: row[name] for name in names if name in row}) for row in values["row"]
    )
    test = tests[f"{letter.lower()}-{values['test']}"]
    return Table(values["id"], values["place"], values["set"], test, tuple(values["classes"]), rows)


def _of_row(letter: str, table: Table, row: Row, protocol: Protocol) -> list[Claim]:
    """The claims in one row: a figure for each class, the average, and checks that need no network."""
    at = f"{table.id}/{row.id}"
    prefix, name = f"{letter.lower()}-{table.id}-{row.id}", f"{table.set}, {row.model}"
    trained: dict[str, Any] = {"network": row.network, "protocol": protocol}

    def claim(end: str, what: str, claimed: str, by: str, unit: str = "%", **rest: Any) -> Claim:
        given = rest.pop("given", {"table": table.id, "row": row.id})
        words = f"{name}: {what}"
        return Claim(f"{prefix}-{end}", letter, table.place, words, claimed, unit, by, given, row=at, **rest)

    found = [
        claim(class_, f"recall of {class_}", printed, "recall", given={"class": class_}, class_=class_, **trained)
        for class_, printed in zip(table.classes, row.values, strict=True)
        if printed
    ]
    key = {"key": "balanced_accuracy"}
    found.append(claim("average", "average of the classes", row.average, "measure", given=key, **trained))
    found.append(claim("mean", "the average is the mean of its figures", row.average, "mean"))
    printed = ", ".join(row.values)
    missing = [class_ for class_, value in zip(table.classes, row.values, strict=True) if not value]
    note = f"Missing from the paper's text, so computed from the average: {', '.join(missing)}." if missing else ""
    words = "each figure is a whole number of images"
    found.append(claim("k", words, printed.strip(", "), "whole_row", unit="", shown=printed.strip(", "), note=note))
    if row.gain is not None:
        two = {"first": f"{table.id}-{row.id}-mean", "second": f"{table.id}-{row.plain}-mean"}
        found.append(claim("gain", "gain over the plain network", row.gain, "difference", "points", given=two))
    return found
