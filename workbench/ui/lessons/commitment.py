"""Predictions of a student: a choice, a field of the image or a number; each can judge how close it was."""

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
        question: the question.
        options: key → sentence.
        answer: key of the correct option.
    """

    question: str
    options: Mapping[str, str]
    answer: str

    def ask(self, key: str) -> None:
        """Draw the widget, with nothing chosen."""
        st.radio(
            self.question,
            [*self.options],
            index=None,
            format_func=self.options.get,
            key=key,
            label_visibility="collapsed",
        )

    def words(self, value: str) -> str:
        """A choice as text."""
        return self.options[value]

    def verdict(self, value: str) -> str:
        """How close the prediction was."""
        return "Correct." if value == self.answer else "Not correct."


@dataclass(frozen=True)
class Field:
    """One of nine fields, numbered row by row.

    Attributes:
        question: the question.
        answer: the correct field, 0 to 8; None if none stands out.
        order: the fields in descending order of strength.
        none: text if there is no correct field.
    """

    question: str
    answer: int | None
    order: tuple[int, ...]
    none: str = "no field"

    @classmethod
    def strongest(cls, question: str, shares: Tensor, none: str) -> Field:
        """The field with the largest share of a map, by its shares (9,); none if all are 0."""
        order = tuple(shares.argsort(descending=True, stable=True).tolist())
        return cls(question, order[0] if float(shares.max()) > 0 else None, order, none)

    def ask(self, key: str) -> None:
        """Draw the widget, with nothing chosen."""
        st.segmented_control(
            self.question, range(9), format_func=lambda i: str(i + 1), key=key, wrap=True, label_visibility="collapsed"
        )

    def words(self, value: int | None) -> str:
        """A field as text."""
        return self.none if value is None else f"field {value + 1}"

    def verdict(self, value: int) -> str:
        """How close the prediction was."""
        if self.answer is None:
            return "No field is correct."
        rank = self.order.index(value) + 1
        return "Correct." if value == self.answer else f"Your field is ranked {rank} of 9."


@dataclass(frozen=True)
class Number:
    """A number.

    Attributes:
        question: the question.
        low, high, step: range and step of the input.
        answer: the correct number; None if there is none within `low` to `high`.
        unit: unit after the number, with its space.
        digits: number of decimals.
        near: largest error that still counts as close.
        none: text if there is no correct number.
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
        """Draw the widget, empty."""
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
        """A number as text."""
        return self.none if value is None else f"{value:.{self.digits}f}{self.unit}"

    def verdict(self, value: float) -> str:
        """How close the prediction was."""
        if self.answer is None:
            return "No number is correct."
        off = value - self.answer
        if round(abs(off), self.digits) == 0:
            return "Correct."
        side, unit = "high" if off > 0 else "low", " percentage points" if self.unit.strip() in ("%", "points") else ""
        return f"{'Close: ' if abs(off) <= self.near else ''}{abs(off):.{self.digits}f}{unit} too {side}."


Guess = Choice | Field | Number
Predicted = Any
"""A key of `Choice.options`, a field 0 to 8, or a number."""
