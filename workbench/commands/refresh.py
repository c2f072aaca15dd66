"""`ferscope refresh`: update what is computed from the networks in checkpoints/.

    ferscope refresh                    temperatures, ensemble, gates, maps, features and robustness, README.md
    ferscope refresh --budget 0m        the same without what takes minutes
    ferscope refresh --only attention   only statistics of attention gates (attention.json beside the weights)

The page Papers is not part of this: it computes its verdicts from the same files whenever they change.
"""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from models import get_spec, list_models
from models.calibration import fit_temperature
from models.checkpoints import (
    ROOT,
    CheckpointError,
    list_checkpoints,
    read_card,
    read_predictions,
    writable_folder,
    write_card,
)
from models.console import run_command
from models.datasets import FaceSet
from models.devices import device_of
from models.ensemble_selection import NAME as ENSEMBLE
from models.ensemble_selection import Choice, candidates, choose, is_shipped, ship
from models.evaluate import evaluate
from models.files import write_bytes
from models.paths import FER2013
from models.preprocessing import TTA
from models.zoo import minutes

from ..analysis.attention import gates_of, passes
from ..analysis.corruptions import CORRUPTIONS
from ..services import papers
from ..services.metrics import evaluation, leaderboard
from ..services.networks import open_network
from ..services.robustness import pace, survey_minutes
from ..surveys.drawn_faces import FILE as DRAWN_FACES
from ..surveys.drawn_faces import drawn_faces, survey_drawn_faces
from ..surveys.features import FILE as FEATURES
from ..surveys.features import survey_features
from ..surveys.gates import FILE as GATES
from ..surveys.gates import IMAGES, matching_gates, survey_gates
from ..surveys.mean_maps import FILE as MAPS
from ..surveys.mean_maps import survey_mean_maps
from ..surveys.robustness import LIMIT, read_robustness, survey
from ..surveys.sample import draw_sample
from . import results

Part = Literal["temperatures", "ensemble", "attention", "robustness", "maps", "features", "drawn-faces", "readme"]
Report = Callable[[str], None]


@dataclasses.dataclass
class Budget:
    """The time left for long measurements, and where messages go."""

    end: float
    report: Report

    def allows(self, what: str, about: float) -> bool:
        """Whether `about` minutes are left; prints a message if not."""
        left = max(0.0, (self.end - time.monotonic()) / 60)
        if about <= left:
            return True
        self.report(f"{what}: skipped, about {about:.0f} minutes, and {left:.0f} are left (--budget)")
        return False


def refresh(
    budget: str = "30m",
    data: Path = FER2013,
    device: str = "auto",
    only: tuple[Part, ...] = get_args(Part),
) -> None:
    """Update what is computed from the networks in checkpoints/, where it is out of date.

    Args:
        budget: time for what needs images (gates, mean maps, features, robustness, views of the ensemble), as 30m,
            1.5h or 90s.
        data: the imported dataset (`ferscope data import`); without it, these are skipped.
        device: cpu, cuda, mps, or auto for the best one available.
        only: update only these; readme updates the ensemble too.
    """
    time_left, device = Budget(time.monotonic() + 60 * minutes(budget), print), device_of(device)
    faces = FaceSet.load(data) if data.is_file() else None
    if faces is None:
        print(f"{data} does not exist, so nothing is measured on images. Import the dataset: ferscope data import")
    if "temperatures" in only:
        for name in evaluation.checkpoints():
            renew_temperature(name, print)
    if {"ensemble", "readme"} & set(only):
        choice = renew_ensemble(faces, time_left, device, print)
    if "attention" in only and faces is not None:
        for name in with_attention():
            renew_gates(name, faces, time_left, device, print)
    for part, renew in (("maps", renew_maps), ("features", renew_features)):
        for name in shipped() if part in only and faces is not None else ():
            renew(name, faces, time_left, device, print)
    if "robustness" in only and faces is not None:
        for name in shipped():
            renew_robustness(name, faces, time_left, device, print)
    for name in shipped() if "drawn-faces" in only else ():
        renew_drawn_faces(name, time_left, device, print)
    if "readme" in only:
        if excluded := leaderboard.left_out():
            print(excluded)
        page = ROOT / "README.md"
        write_bytes(page, results.text(choice).encode())
        print(f"{page.parent.name}/{page.name}: written")
        print(f"Papers: {verdicts()}")


def renew_temperature(name: str, report: Report) -> None:
    """Fit the temperature to the stored predictions on the validation set."""
    try:
        card = read_card(name)
        if not card.metrics:
            report(f"{name}: temperature skipped, it is not evaluated. Run: ferscope evaluate {name}")
            return
        stored = read_predictions(name, next(iter(card.metrics)))
        fitted = fit_temperature(stored.logits, stored.labels)
    except (CheckpointError, IndexError) as error:
        report(f"{name}: temperature skipped. {error}")
        return
    if card.temperature is not None and abs(fitted - card.temperature) < 1e-4:
        report(f"{name}: temperature {card.temperature:.3f}, unchanged")
        return
    write_card(writable_folder(name), dataclasses.replace(card, temperature=fitted))
    report(f"{name}: temperature {fitted:.3f}, was {card.temperature or 'not fitted'}")


def renew_ensemble(faces: FaceSet | None, budget: Budget, device: str, report: Report) -> Choice | None:
    """Select the members again; write the ensemble if they or their weights changed; measure missing views."""
    try:
        choice = choose(candidates())
    except CheckpointError as error:
        report(f"{ENSEMBLE}: skipped. {error}")
        return None
    members = ", ".join(choice.members)
    for (first, second), share in choice.agreement.items():
        report(f"{ENSEMBLE}: {first} and {second} predict the same class on {100 * share:.1f} % of PublicTest")
    if not choice.ships:
        if (ROOT / ENSEMBLE).is_dir():
            shutil.rmtree(ROOT / ENSEMBLE)
        report(f"{ENSEMBLE}: none; no other training run improves {choice.best} on PublicTest")
        return choice
    if is_shipped(choice):
        report(f"{ENSEMBLE}: {members}, unchanged")
    else:
        ship(choice)
        report(f"{ENSEMBLE}: {members}, written")
    ways = read_card(ENSEMBLE).metrics["PrivateTest"]
    views = 13 * 2 * 3589  # one, two and ten of each image of both test sets
    about = views * sum(pace(read_card(name).network) for name in choice.members) / 60
    if set(TTA) - set(ways) and faces is not None and budget.allows(f"{ENSEMBLE}, flip and ten-crop", about):
        evaluate(ENSEMBLE, faces, TTA, device)
        report(f"{ENSEMBLE}: measured with {', '.join(TTA)}")
    return choice


def shipped() -> list[str]:
    """Networks whose weights ship under their own name, as the page Robustness shows them; the ensemble last."""
    names = [name for name in list_checkpoints() if name in list_models()]
    return sorted(names, key=lambda name: (name == ENSEMBLE, name))


def with_attention() -> list[str]:
    """Checkpoints with weights whose network has an attention module."""
    return [name for name in list_checkpoints() if get_spec(read_card(name).network).attention]


def renew_gates(name: str, faces: FaceSet, budget: Budget, device: str, report: Report) -> None:
    """Measure the gates of a checkpoint if that is missing or of other weights or images."""
    try:
        sample, _ = draw_sample(name, faces, "validation", IMAGES, 0)
        if matching_gates(name, sample):
            report(f"{name}: {GATES}, unchanged")
            return
        about = passes(gates_of(open_network(name).model)) * sample.pictures * pace(name) / 60
        if budget.allows(f"{name}: {GATES}", about):
            survey_gates(name, faces, device=device)
            report(f"{name}: {GATES} measured on {sample.text}")
    except ValueError as error:  # a damaged checkpoint, or a dataset with other classes
        report(f"{name}: {GATES} skipped. {error}")


def renew_maps(name: str, faces: FaceSet, budget: Budget, device: str, report: Report) -> None:
    """Compute the mean maps of a checkpoint if they are missing or of other weights or images."""
    try:
        sample, _ = draw_sample(name, faces, "test", None, 0)
        if budget.allows(f"{name}: {MAPS}", 3 * sample.pictures * pace(name) / 60):
            survey_mean_maps(name, faces, device=device)
            report(f"{name}: {MAPS} is of {sample.text}")
    except ValueError as error:  # a damaged checkpoint, a dataset with other classes, no layer for maps
        report(f"{name}: {MAPS} skipped. {error}")


def renew_features(name: str, faces: FaceSet, budget: Budget, device: str, report: Report) -> None:
    """Compute the features of a checkpoint if they are missing or of other weights or images."""
    try:
        if budget.allows(f"{name}: {FEATURES}", len(faces) * pace(name) / 60 + 0.5):
            survey_features(name, faces, device=device)
            report(f"{name}: {FEATURES} is of all training and test images")
    except ValueError as error:  # a damaged checkpoint, a dataset with other classes, no linear layer at the end
        report(f"{name}: {FEATURES} skipped. {error}")


def renew_drawn_faces(name: str, budget: Budget, device: str, report: Report) -> None:
    """Measure a checkpoint on drawn faces if that is missing or of other weights; needs no dataset."""
    try:
        if budget.allows(f"{name}: {DRAWN_FACES}", len(drawn_faces()) * pace(name) / 60):
            found = survey_drawn_faces(name, device)
            report(f"{name}: {DRAWN_FACES}, {100 * found.accuracy:.1f} %")
    except ValueError as error:  # a damaged checkpoint, other classes
        report(f"{name}: {DRAWN_FACES} skipped. {error}")


def renew_robustness(name: str, faces: FaceSet, budget: Budget, device: str, report: Report) -> None:
    """Measure curves that are missing or of other weights, one after another while time is left."""
    try:
        found = read_robustness(name)
        known, limit = found.curves, found.sample.pictures
    except CheckpointError:
        known, limit = {}, LIMIT
    missing = [
        c.name for c in CORRUPTIONS.values() if c.name not in known or known[c.name].values.tolist() != list(c.values)
    ]
    if not missing:
        report(f"{name}: robustness, all {len(CORRUPTIONS)} curves exist")
        return
    if not budget.allows(
        f"{name}: robustness, the first of {len(missing)} missing curves", survey_minutes(name, limit, (missing[0],))
    ):
        return
    done = []
    for corruption in missing:
        if done and not budget.allows(f"{name}: {corruption}", survey_minutes(name, limit, (corruption,))):
            break
        survey(name, faces, corruptions=(corruption,), limit=limit, device=device)
        done.append(corruption)
    report(f"{name}: robustness measured: {', '.join(done)}")


def verdicts() -> str:
    """Number of claims of the papers with each verdict."""
    counts: dict[str, int] = {}
    for found in papers.summary().values():
        for verdict, n in found.items():
            counts[verdict] = counts.get(verdict, 0) + n
    return ", ".join(f"{n} {verdict}" for verdict, n in counts.items())


def main(argv: list[str] | None = None) -> None:
    """Run `ferscope refresh ...`."""
    stopped = "Stopped. Run the same command again to continue."
    run_command(refresh, "ferscope refresh", argv, stopped)


if __name__ == "__main__":
    main()
