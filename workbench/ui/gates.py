"""Input dependence of attention gates: a caption beside a gate's map, mean maps, and a table of all gates."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan

from models.text import percentage
from workbench import services
from workbench.analysis.attention import CONSTANT_DEVIATION, CONSTANT_SHARE, GateStatistics, ModuleStatistics
from workbench.services.gates import Gates

from . import charts, slow_requests, state, views

_HEAD = "| gate | saturated | deviation | η² | changed, fixed | changed, disabled |\n|---|---:|---:|---:|---:|---:|"


def measured(network: str) -> Gates | None:
    """The stored statistics; if there are none, those on drawn faces, at once where quick, else after a click."""
    stored = services.gates.stored_gates(network)
    if stored or not slow_requests.at_once(network, services.gates.gate_passes(network), _key(network)):
        return stored
    with slow_requests.running("Measuring the gates on drawn faces", services.gates.gate_passes(network)):
        return state.cached(("gates", network), lambda: services.gates.drawn_gates(network))


def _key(network: str) -> str:
    return f"gates-{network}"


def beside_map(found: Gates | None, layer: str) -> None:
    """Draw a caption for each gate of a module that is nearly constant."""
    module = found and found.of(layer)
    for gate in module.gates if module else ():
        if gate.constant:
            which = "This gate is" if gate.gate.title == "gate" else f"{gate.gate.title.capitalize()}: this gate is"
            shared = f"; {charts.percent(gate.fixed)} of the variance is the same for every face"
            same = "" if isnan(gate.fixed) else shared
            views.caption(
                f"**{which} nearly the same for every face:** over {found.images} its values differ by "
                f"{_deviation(gate)} (standard deviation){same}. With the gate replaced by its mean over these "
                f"images, {percentage(1 - gate.changed_mean)} of predictions stay the same."
            )


def section(network: str, found: Gates | None, names: Mapping[str, str]) -> None:
    """Draw mean maps and the table of all gates; if nothing is measured yet, a button that does it.

    Args:
        network: name of the network.
        found: result of `measured`.
        names: module → its label on the page; others are labeled by their kind and their name in the network.
    """
    if found is None:
        slow_requests.ready(
            network, services.gates.gate_passes(network), "Measure the gates on drawn faces", _key(network)
        )
        return
    modules = [module for module in found.modules if module.layer]
    named = {m.layer: names.get(m.layer, f"{m.gates[0].gate.kind} {m.layer}") for m in modules}
    maps = {named[m.layer]: g.mean_map for m in modules for g in m.gates if g.mean_map is not None}
    if maps:
        charts.show(charts.small_maps(maps, 0.0, 1.0, "mean weight"), "masks", f"Mean of each gate over {found.images}")
        constant = any(gate.constant and gate.mean_map is not None for module in modules for gate in module.gates)
        alike = " A gate that is marked below looks like this for every face." if constant else ""
        views.caption(f"**Mean of each gate over {found.images}.**{alike}")
    rows = [row for module in found.modules for row in _rows(module, named.get(module.layer, "all at once"))]
    views.caption(views.table("\n".join([_HEAD, *rows]), together=3))
    _summary(found)


def _rows(module: ModuleStatistics, name: str) -> list[str]:
    """A row for each gate, and one for a module that is more than its gate."""
    several, whole = len(module.gates) > 1, module.gates and module.gates[0].changed_off is None
    rows = [_row(gate, f"{name}, {gate.gate.title}" if several or whole else name) for gate in module.gates]
    if several or whole or not module.gates:
        mean = "–" if whole else percentage(module.changed_mean)
        label = name if not module.gates else f"{name}, {'both' if several else 'whole block'}"
        rows.append(f"| {label} | – | – | – | {mean} | {percentage(module.changed_off)} |")
    return rows


def _row(gate: GateStatistics, name: str) -> str:
    saturated = "–" if gate.saturated is None else percentage(gate.saturated)
    fixed = "all equal" if isnan(gate.fixed) else charts.percent(gate.fixed)
    off = f"{percentage(gate.changed_uniform)} (uniform)" if gate.changed_off is None else percentage(gate.changed_off)
    mark = "\\*" if gate.constant else ""  # escaped for Markdown
    if charts.is_phone():
        name = name.replace(".", ".\N{ZERO WIDTH SPACE}")  # a long one may break there
    return f"| {name}{mark} | {saturated} | {_deviation(gate)} | {fixed} | {percentage(gate.changed_mean)} | {off} |"


def _summary(found: Gates) -> None:
    whole = found.modules[-1]
    mean, off = percentage(1 - whole.changed_mean), percentage(1 - whole.changed_off)
    what = f"With {'the gate' if whole.layer else 'every gate'} fixed at its mean over faces"
    live = f" Measured now on drawn faces, not photographs. {found.live}" if found.live else ""
    views.caption(f"**{what}, {mean} of predictions stay the same; disabled, {off}:** {found.images}.{live}")
    uniform = any(gate.changed_off is None for module in found.modules for gate in module.gates)
    views.caption(
        "*Saturated*: below 0.05 or above 0.95. *Deviation*: root mean square over the gate's values of their standard "
        "deviation between faces. *η²*: share of the variance that is the same for every face. *Changed, fixed*: share "
        "of predictions that change if the gate is its mean over faces, which keeps its pattern of positions, unlike "
        "the tab Ablation, where all positions have one weight. *Changed, disabled*: without the module"
        + (", or, where it is marked *uniform*, with the same weight 1/N for all N positions" if uniform else "")
        + (". *All at once*: every gate of the network" if len(found.modules) > 1 else "")
        + f". \\* Nearly the same for every face: deviation below {CONSTANT_DEVIATION}, small "
        f"in absolute terms, or η² of at least {charts.percent(CONSTANT_SHARE)} (η² of the input images: "
        f"{charts.percent(found.pixels)})."
    )


def _deviation(gate: GateStatistics) -> str:
    return f"{gate.deviation:.3f}" + (" × 1/N" if gate.changed_off is None else "")
