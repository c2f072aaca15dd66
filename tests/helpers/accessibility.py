"""Accessibility of a page in a browser: what axe finds, and where the keyboard gets."""

from __future__ import annotations

from typing import Any

SEVERE = ("serious", "critical")


# Whether a node that axe names is inside of what a selector matches.
_INSIDE = "([target, outer]) => !!document.querySelector(target)?.closest(outer)"
# Whether the focused element, or what is drawn for it, has an outline, a shadow or the border of a focused field.
_SEEN = """() => {
  const accents = ['rgb(18, 80, 75)', 'rgb(153, 242, 220)']  // of .streamlit/config.toml
  for (let e = document.activeElement, i = 0; e && i < 5; e = e.parentElement, i++) {
    const style = getComputedStyle(e)
    if (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) return true
    if (style.boxShadow !== 'none' || accents.includes(style.borderTopColor)) return true
  }
  return false
}"""


_TRANSITIONS_ENDED = """() => Promise.allSettled(document.getAnimations()
    .filter(one => one.effect.getComputedTiming().endTime < Infinity).map(one => one.finished))"""


def severe_findings(page: Any, known: dict[str, str] | None = None, only: tuple[str, ...] = ()) -> list[str]:
    """Serious and critical findings of axe, a line each: rule, selector, what to do.

    Args:
        page: a tab of Playwright's.
        known: rule → selector; findings inside of what it matches are left out.
        only: the rules to check; all of them by default.
    """
    from axe_playwright_python.sync_playwright import Axe

    page.evaluate(_TRANSITIONS_ENDED)  # halfway, a color is neither that of the light theme nor that of the dark one
    options = {"runOnly": list(only)} if only else {}
    found = Axe().run(page, options={**options, "resultTypes": ["violations"]}).response["violations"]
    nodes = [(rule["id"], node) for rule in found if rule["impact"] in SEVERE for node in rule["nodes"]]
    return [
        f"{rule} {node['target']} {node['failureSummary']}"
        for rule, node in nodes
        if not (rule in (known or {}) and page.evaluate(_INSIDE, [node["target"][0], known[rule]]))
    ]


def tab_to(page: Any, target: Any, most: int = 60) -> None:
    """Press Tab until an element has the focus, which everything on the way shows.

    Args:
        page: a tab of Playwright's.
        target: locator of the element, or of one around it.
        most: how often Tab is pressed at most.
    """
    hidden = []
    for _ in range(most):
        page.keyboard.press("Tab")
        if not page.evaluate(_SEEN):
            hidden.append(page.evaluate("document.activeElement.outerHTML.slice(0, 200)"))
        if target.evaluate("e => e.contains(document.activeElement)"):
            assert not hidden, f"these do not show that they have the focus: {hidden}"
            return
    raise AssertionError(f"Tab does not reach {target}")
