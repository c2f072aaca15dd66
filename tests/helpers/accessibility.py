"""Accessibility of a page in a browser: what axe finds, and where the keyboard gets."""

from __future__ import annotations

from typing import Any

SEVERE = ("serious", "critical")
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def severe_findings(page: Any, known: dict[str, str] | None = None) -> list[str]:
    """Serious and critical findings of axe, a line each: rule, selector, what to do.

    Args:
        page: a tab of Playwright's.
        known: rule → part of a selector; a finding with it is left out.
    """
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options={**RULES, "resultTypes": ["violations"]}).response["violations"]
    nodes = [(rule["id"], node) for rule in found if rule["impact"] in SEVERE for node in rule["nodes"]]
    lines = [(rule, str(node["target"]), node["failureSummary"]) for rule, node in nodes]
    return [" ".join(line) for line in lines if (known or {}).get(line[0], "\0") not in line[1]]
