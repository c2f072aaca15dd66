"""Attacks and faults on running instances of the demo and the app: is each refused, and are others served meanwhile?

    python benchmarks/hostile.py [--only WORD]

Every attack is bounded in time and number, and stays on this computer. While it runs, another visitor goes on using the
instance, which may open 256 files only. Printed: a line for each attack, "refused, others served" or what happened, and
how long the other visitor waited at most. Exit status 1 where a line fails.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import dataclass
from itertools import groupby

import tyro
from attacks import app, demo, files
from attacks.instances import Attack, Instance, Visitor, started

from models.paths import CODE as ROOT

ATTACKS: list[Attack] = [*demo.ATTACKS, *files.ATTACKS, *app.ATTACKS]
"""All attacks, those on the same instance one after the other."""

VISITORS = {**demo.VISITORS, **app.VISITORS}
"""Who else uses each kind of instance: a function that makes a `Visitor` for an `Instance`."""

PATIENCE = 20.0  # seconds that the other visitor may wait for a result, or
SLOWER = 20  # times as long as without an attack, on a computer that has other work too
HELD = "refused, others served"


class Others:
    """Another visitor, who uses an instance while it is attacked."""

    def __init__(self, visitor: Visitor):
        self._visitor = visitor
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self.right = self.wrong = 0
        self.longest = 0.0
        self.last_error = ""
        began = time.monotonic()
        self.right += visitor.use()  # without an attack
        self.patience = max(PATIENCE, SLOWER * (time.monotonic() - began))

    def __enter__(self) -> Others:
        self._thread.start()
        return self

    def __exit__(self, *_error) -> None:
        before, until = self.right, time.monotonic() + self.patience
        while self.right == before and time.monotonic() < until:  # one more result, after the attack
            time.sleep(0.1)
        self._ended.set()
        self._thread.join(self.patience)

    def _go_on(self) -> None:
        since = time.monotonic()
        while not self._ended.wait(0.2):
            try:
                right = self._visitor.use()
                self.right, self.wrong = self.right + right, self.wrong + (not right)
                self.longest = max(self.longest, time.monotonic() - since)
                since = time.monotonic()
            except Exception as error:  # refused or cut off, in whatever shape the client library gives it
                self.last_error = f"{type(error).__name__} {error}"[:80]
        self.longest = max(self.longest, time.monotonic() - since)

    def verdict(self) -> str:
        """What was wrong with how they were served; empty where nothing was."""
        if self.wrong:
            return f"{self.wrong} wrong results for others"
        if self.right < 2:
            return f"others not served: {self.last_error}"
        return f"others waited {self.longest:.0f} s" if self.longest > self.patience else ""


def tried(attack: Attack, instance: Instance) -> dict:
    """The line of an attack."""
    print(f"  {attack.name} …", end="\r", flush=True, file=sys.stderr)
    began, before = time.monotonic(), instance.memory()
    others = None
    try:
        if attack.alone:
            happened = attack.run(instance)
        else:
            others = Others(VISITORS[attack.kind](instance))
            with others:
                happened = attack.run(instance)
    except Exception as error:  # the attack itself could not be carried out: that is no success
        happened = f"not carried out: {type(error).__name__} {error}"[:200]
    happened = "; ".join(filter(None, (happened, others.verdict() if others else "")))
    if not attack.alone and not instance.process.is_running():
        happened += "; the instance ended"
    return {
        "instance": attack.kind,
        "attack": attack.name,
        "result": happened or (HELD if others else "refused"),
        "held": not happened,
        "others": f"{others.right}, {others.longest:.1f} s" if others else "-",
        "seconds": round(time.monotonic() - began, 1),
        "memory, MiB": [before, instance.memory()],
    }


def lines(attacks: list[Attack]) -> list[dict]:
    """Try all, each kind of instance started once, and once more for each attack that ends it."""
    rows = []
    for (kind, alone), group in groupby(attacks, key=lambda attack: (attack.kind, attack.alone)):
        for part in [[attack] for attack in group] if alone else [list(group)]:
            with started(kind) as instance:
                for attack in part:
                    rows.append(tried(attack, instance))
                    show(rows[-1])
    return rows


def show(row: dict) -> None:
    """One line of the table."""
    memory = "{}→{}".format(*row["memory, MiB"])
    print(f"{row['instance']:21} {row['attack']:52} {row['others']:>12} {memory:>10} MiB  {row['result']}", flush=True)


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    only: str = ""
    """Attacks whose instance or name contains it"""


def main() -> None:
    """Run the attacks and print the table."""
    options = tyro.cli(Options, description=__doc__)
    print(f"{'instance':21} {'attack':52} {'others':>12} {'memory':>14}  result")
    rows = lines([attack for attack in ATTACKS if options.only in f"{attack.kind}: {attack.name}"])
    failed = [row for row in rows if not row["held"]]
    print(f"{len(rows) - len(failed)} of {len(rows)} held")
    if not options.only:
        results = ROOT / "benchmarks" / "results"
        results.mkdir(exist_ok=True)
        (results / "hostile.json").write_text(json.dumps(rows, indent=2) + "\n")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
