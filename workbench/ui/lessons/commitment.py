"""What a student commits to: a choice, a field of the picture, or a number; and how near it came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st
from torch import Tensor


@dataclass(frozen=True)
class Choice:
    """One of a few sentences.

    Attributes:
        question: what is asked.
        options: key → sentence.
        answer: the key that came out.
    """

    question: str
    options: Mapping[str, str]
    answer: str

    def ask(self, key: str) -> None:
        """The widget; nothing is chosen beforehand."""
        st.radio(
            self.question,
            [*self.options],
            index=None,
            format_func=self.options.get,
            key=key,
            label_visibility="collapsed",
        )

    def words(self, value: str) -> str:
        """A choice as people read it."""
        return self.options[value]

    def verdict(self, value: str) -> str:
        """How near it came."""
        return "The same." if value == self.answer else "Something else."


@dataclass(frozen=True)
class Field:
    """One of nine fields, numbered row by row.

    Attributes:
        question: what is asked.
        answer: the field that came out, 0 to 8; None where none stands out.
        order: the fields, the strongest first.
        none: what to say where there is no answer.
    """

    question: str
    answer: int | None
    order: tuple[int, ...]
    none: str = "no field"

    @classmethod
    def strongest(cls, question: str, shares: Tensor, none: str) -> Field:
        """The field that holds most of a map, by its shares (9,); none where all are 0."""
        order = tuple(shares.argsort(descending=True, stable=True).tolist())
        return cls(question, order[0] if float(shares.max()) > 0 else None, order, none)

    def ask(self, key: str) -> None:
        """The widget; nothing is chosen beforehand."""
        st.segmented_control(
            self.question, range(9), format_func=lambda i: str(i + 1), key=key, wrap=True, label_visibility="collapsed"
        )

    def words(self, value: int | None) -> str:
        """A field as people read it."""
        return self.none if value is None else f"field {value + 1}"

    def verdict(self, value: int) -> str:
        """How near it came."""
        if self.answer is None:
            return "No field could have been right."
        rank = self.order.index(value) + 1
        return "The same." if value == self.answer else f"Your field is number {rank} of the nine."


@dataclass(frozen=True)
class Number:
    """A number.

    Attributes:
        question: what is asked.
        low, high, step: what may be said.
        answer: what came out; None where nothing within `low` to `high` did.
        unit: behind the number, with its space.
        digits: behind the point.
        near: how far off still counts as near.
        none: what to say where there is no answer.
    """

    question: str
    low: float
    high: float
    step: float
    answer: float | None
    unit: str = ""
    digits: int = 0
    near: float = 0.0
    none: str = ""

    def ask(self, key: str) -> None:
        """The widget; nothing stands in it beforehand."""
        form = f"%.{self.digits}f"
        limits = {"min_value": float(self.low), "max_value": float(self.high), "step": float(self.step)}
        st.number_input(
            self.question,
            value=None,
            format=form,
            placeholder=f"{self.low:g} to {self.high:g}",
            key=key,
            label_visibility="collapsed",
            **limits,
        )

    def words(self, value: float | None) -> str:
        """A number as people read it."""
        return self.none if value is None else f"{value:.{self.digits}f}{self.unit}"

    def verdict(self, value: float) -> str:
        """How near it came."""
        if self.answer is None:
            return "No number could have been right."
        off = value - self.answer
        if round(abs(off), self.digits) == 0:
            return "The same."
        side = "high" if off > 0 else "low"
        return f"{'Near: ' if abs(off) <= self.near else ''}{abs(off):.{self.digits}f} too {side}."


Guess = Choice | Field | Number
Said = Any
"""A key of `Choice.options`, a field 0 to 8, or a number."""
