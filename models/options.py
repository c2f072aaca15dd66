"""Architecture options: the arguments of a network's builder that a training run may set (`--overrides NAME VALUE`).

They are declared once, in the network's own file: name, type and default by the signature of its class, the values that
are allowed by the type (`Literal`, or a number with `Bounds`), the sentence by `Args:` of its docstring.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin


class Bounds(NamedTuple):
    """The smallest and the largest value of a number, for `Annotated`."""

    low: float
    high: float


SHARE = Bounds(0.0, 0.95)
Share = Annotated[float, SHARE]
"""A dropout probability."""
Channels = Annotated[int, Bounds(1, 512)]
"""A number of channels."""
InputChannels = Literal[1, 3]
"""Channels of a network's input: 1 for gray, 3 for RGB."""
Reduction = Annotated[int, Bounds(1, 64)]
"""Factor by which a hidden layer is narrower."""
Side = Annotated[int, Bounds(32, 512)]
"""Side of a square image in pixels."""


@dataclass(frozen=True)
class Option:
    """One architecture option.

    Attributes:
        name: name of the argument.
        default: value where nothing is set.
        help: a sentence.
        type: bool, int, float or str; `object` for one that only code can set, which its builder checks.
        choices: all values that are allowed; empty where any of the type is, within the bounds.
        bounds: smallest and largest value of a number; None: no bounds.
    """

    name: str
    default: Any
    help: str
    type: type = object
    choices: tuple[Any, ...] = ()
    bounds: Bounds | None = None

    @property
    def allowed(self) -> str:
        """The values that may be given, in words."""
        if self.choices:
            return f"one of {', '.join(map(_shown, self.choices))}"
        if self.type is bool:
            return "True or False"
        kind = {int: "a whole number", float: "a number", str: "a text"}.get(self.type, "a value from Python code")
        return f"{kind} from {self.bounds.low:g} to {self.bounds.high:g}" if self.bounds else kind

    def accepts(self, value: Any) -> bool:
        """Whether a value has the type and is within the bounds; an int is accepted for float, a bool is not."""
        if self.choices:
            return any(value == choice and type(value) is type(choice) for choice in self.choices)
        if self.type is object:
            return True
        if self.type is float and type(value) is int:
            value = float(value)
        if type(value) is not self.type or (self.type is float and not math.isfinite(value)):
            return False
        return self.bounds is None or self.bounds.low <= value <= self.bounds.high

    def __str__(self) -> str:
        """One line for a terminal."""
        return f"{self.name} ({self.allowed}; default {_shown(self.default)}): {self.help}"


INPUT_CHANNELS = Option("channels", 1, "Number of input channels, 1 for gray, 3 for RGB.", int, get_args(InputChannels))


def options_of(builder: Callable[..., Any]) -> tuple[Option, ...]:
    """The options among the arguments of a class or function, or of a `functools.partial` of one.

    Those are all that have a default, but for `num_classes` and `pretrained`, which every network's builder has.
    """
    sentences = _sentences(inspect.getdoc(getattr(builder, "func", builder)) or "")
    return tuple(
        _option(parameter, sentences.get(name, ""))
        for name, parameter in inspect.signature(builder, eval_str=True).parameters.items()
        if parameter.default is not parameter.empty and name not in ("num_classes", "pretrained")
    )


def check_options(network: str, options: tuple[Option, ...], values: Mapping[str, Any]) -> None:
    """Raise ValueError, in one sentence, for a value whose option does not exist or does not allow it."""
    known = {option.name: option for option in options}
    for name, value in values.items():
        if name not in known:
            near = "".join(f" Did you mean {found}?" for found in get_close_matches(name, known, n=1))
            there = f"its options are {', '.join(known)}" if known else "it has no options"
            raise ValueError(f'{network} has no option "{name}"; {there}.{near}')
        if not known[name].accepts(value):
            raise ValueError(f"{network}: {name}={_shown(value)} is not {known[name].allowed}.")


def _option(parameter: inspect.Parameter, sentence: str) -> Option:
    type_, bounds, choices = parameter.annotation, None, ()
    if get_origin(type_) is Annotated:
        type_, bounds = get_args(type_)
    if get_origin(type_) is Literal:
        choices = get_args(type_)
        type_ = type(choices[0])
    simple = type_ if type_ in (bool, int, float, str) else object
    return Option(parameter.name, parameter.default, sentence, simple, choices, bounds)


def _sentences(docstring: str) -> dict[str, str]:
    """The description of each name under `Args:`, as a sentence."""
    _, _, args = docstring.partition("Args:\n")
    args = re.split(r"\n(?=\S)", args)[0]  # the next section begins at the margin
    found = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", args, re.MULTILINE)
    texts = ((name, " ".join(text.split())) for name, text in found)
    return {name: text[:1].upper() + text[1:].removesuffix(".") + "." for name, text in texts}


def _shown(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
