"""`ferscope networks add|list|rm`: networks of your own, for the app and every command.

ferscope networks add --file my_networks.py                  a Python file with @register_model
ferscope networks add timm:resnet18.a1_in1k                  a network of timm, or hf-hub:USER/NAME
ferscope networks add folder/                                 a folder with config.json and model.safetensors
ferscope networks add model.pth --network resnet18 ...       weights of a network here, from elsewhere
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console
from rich.table import Table

from models import checkpoints, get_spec, list_models, own_networks
from models.conversion import Source, compared, input_channels, number_of_logits, plain_class_names
from models.datasets import EMOTIONS, FaceSet
from models.foreign_weights import Match, WeightsError, read_weights
from models.own_networks import OwnNetworkError
from models.registry import channels_of
from models.text import counted

from ..services import own_networks as adding

app = tyro.extras.SubcommandApp()

_SHOWN = 5  # names of weights in each row of the table


@app.command(name="add")
def add(
    source: Annotated[str, tyro.conf.Positional] = "",
    /,
    file: Path | None = None,
    name: str = "",
    network: str = "",
    options: dict[str, str] | None = None,
    classes: tuple[str, ...] = (),
    mean: tuple[float, ...] = (),
    std: tuple[float, ...] = (),
    input_size: int = 0,
    channels: int = 0,
    cam_layer: str = "",
    reshape: str = "",
    output: str = "",
    measure: Path | None = None,
) -> None:
    """Add a network of your own; in a terminal, it prompts for what no option gives.

    Args:
        source: timm:NAME, hf-hub:USER/NAME, a folder with config.json and model.safetensors, or a file of weights
            (.pth, .pt, .ckpt, .bin, .safetensors). Pickles are read with weights_only=True, which executes no code.
        file: a Python file with @register_model. It is run now and whenever FERScope starts: name only a file that you
            trust.
        name: name of the checkpoint that is written; by default after the source.
        network: architecture of a file of weights, one of `ferscope models` or of your own file.
        options: options of that architecture, each a name and a value.
        classes: names of the classes, in the order of the logits.
        mean: mean of the training pixels in 0..1; one number, or one for each channel.
        std: standard deviation of the training pixels, in the same form.
        input_size: side of the input in pixels.
        channels: 1 for gray, 3 for RGB; by default those of the weights. For gray, kernels for RGB are summed over the
            colors.
        cam_layer: layer for class activation maps; by default the deepest that leads to the logits and has maps of at
            least 6×6.
        reshape: layout of that layer's output where its shape is ambiguous: channels-first, channels-last, tokens:P,
            or tokens:P:HxW, with P tokens before the patches.
        output: key, field or index of the logits, for a network that returns several tensors.
        measure: an imported dataset (.npz) to measure the network on.
    """
    if not source and file is None:
        raise OwnNetworkError("Nothing to add: give a source, or a Python file with --file. See --help.")
    if file is not None:
        for registered in own_networks.add_file(file):
            print(f"{registered}: {get_spec(registered).title}, registered by {file}.")
        print(f"{file} is run whenever FERScope starts. Train a network of it: ferscope train --model NAME")
    if not source:
        return
    name = name or _name_of(source)
    adding.check_name(name)
    if adding.is_checkpoint(source):
        card = adding.add_checkpoint(name, Path(source))
        print(
            f"Added as {name}, in {checkpoints.ROOT / name}: {card.network}, {_input(card.input_size, card.channels)}."
        )
        if measure:
            _measure(name, measure)
        return
    found = adding.source_of(source, network)
    found = _completed(found, _values(options or {}, channels, found, network), classes, mean, std, input_size)
    fits = compared(found)
    _report(found, fits)
    half = sorted({str(value.dtype).removeprefix("torch.") for value in fits.weights.values() if value.itemsize < 4})
    if narrow := [name for name in half if name in ("float16", "bfloat16")]:
        print(f"The weights are in half precision ({', '.join(narrow)}); the network computes with them in float32.")
    extra = {"cam_layer": cam_layer, "reshape": reshape, "output": output}
    made = adding.add(name, found, fits, **extra)
    print(
        f"Added as {name}, in {checkpoints.ROOT / name}: {counted(len(made.card.classes), 'class', 'classes')}, "
        f"{made.card.input_size} pixels, {'gray' if made.card.channels == 1 else 'RGB'}, maps from "
        f"{made.card.cam_layer or 'no layer'}. In the app it follows its architecture."
    )
    if measure:
        _measure(name, measure)


def _name_of(source: str) -> str:
    last = Path(source.removeprefix(adding.TIMM).removeprefix(adding.HUB)).name
    stem = last if source.startswith((adding.TIMM, adding.HUB)) or Path(source).is_dir() else Path(last).stem
    return stem.partition("@")[0]


def _values(options: dict[str, str], channels: int, source: Source, network: str) -> dict[str, Any]:
    """Options of the architecture with their types."""
    wanted = source.network or network
    if not wanted:
        return {}
    texts = options | ({"channels": str(channels)} if channels else {})
    known = {option.name: option for option in get_spec(wanted).options}
    if channels and "channels" not in known and channels != get_spec(wanted).channels:
        raise OwnNetworkError(f"{wanted} takes {get_spec(wanted).channels} channels: leave out --channels.")
    read = {"True": True, "False": False}
    values: dict[str, Any] = dict(source.overrides)
    for key, text in texts.items():
        if key in known:
            kind = known[key].type
            values[key] = read.get(text, text) if kind is bool else kind(text) if kind in (int, float) else text
        elif key != "channels":
            values[key] = text  # refused with the names of all options
    return values


def _completed(
    source: Source,
    overrides: dict[str, Any],
    classes: tuple[str, ...],
    mean: tuple[float, ...],
    std: tuple[float, ...],
    input_size: int,
) -> Source:
    """The source with everything that a card needs, from the options or from prompts in a terminal."""
    if not source.network:
        chosen = _asked("Network (see ferscope models)", "--network")
        spec = get_spec(chosen)
        source = replace(source, network=spec.name)
    weights = read_weights(source.weights)
    if "channels" not in overrides and any(option.name == "channels" for option in get_spec(source.network).options):
        found = input_channels(weights, source.network, overrides)
        overrides |= {"channels": found} if found != channels_of(source.network, overrides) else {}
    count = source.count or number_of_logits(weights, source.network, overrides)
    names = classes or source.classes or _class_names(count)
    channels = channels_of(source.network, overrides)
    values = [
        _one_or_three(given, known, channels, what)
        for given, known, what in ((mean, source.mean, "mean"), (std, source.std, "std"))
    ]
    return replace(
        source,
        overrides=overrides,
        classes=plain_class_names(names),
        mean=values[0],
        std=values[1],
        input_size=input_size or source.input_size,
    )


def _class_names(count: int) -> tuple[str, ...]:
    """Names of the classes of weights that do not name them."""
    if count > 20:
        return tuple(f"class {i}" for i in range(count))
    hint = f"{count} " if count else ""
    example = f"; for FER2013 {' '.join(EMOTIONS)}" if count in (0, len(EMOTIONS)) else ""
    return tuple(_asked(f"Names of the {hint}classes, in the order of the logits{example}", "--classes").split())


def _one_or_three(
    given: tuple[float, ...], known: float | tuple[float, ...] | None, channels: int, what: str
) -> float | tuple[float, ...]:
    if not given and known is not None:
        return known
    values = given or _numbers(_asked(f"{what} of the training pixels in 0..1 (one number, or 3)", f"--{what}"), what)
    if len(values) == 1 or len(set(values)) == 1:
        return values[0]
    if len(values) != channels:
        raise OwnNetworkError(
            f"--{what} has {len(values)} numbers, and the network {channels} channels: give one of each."
        )
    return values


def _numbers(text: str, what: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.replace(",", " ").split())
    except ValueError as error:
        raise OwnNetworkError(f"--{what}: {text} is not a number.") from error


def _asked(question: str, option: str) -> str:
    """The owner's answer in a terminal; OwnNetworkError, with the option, where there is none."""
    if not sys.stdin.isatty():
        raise OwnNetworkError(f"{question}: not given. Give it with {option}.")
    answer = input(f"{question}: ").strip()
    if not answer:
        raise OwnNetworkError(f"{question}: not given. Give it with {option}.")
    return answer


def _report(source: Source, found: Match) -> None:
    """Print how the weights fit the network."""
    table = Table("Weights", "Number", "Names", title=f"{source.weights.name} → {source.network}")
    other = [f"{name} {given} → {wanted}" for name, (given, wanted) in found.other_shapes.items()]
    rows = {"matched": found.matched, "missing": found.missing, "unexpected": found.unexpected, "other shape": other}
    for what, names in rows.items():
        shown = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
        table.add_row(what, str(len(names)), shown)
    if found.converted:
        table.add_row("converted", "1", f"{found.converted} (its input channels)")
    if found.prefix:
        table.caption = f'The prefix "{found.prefix}" was removed from the names.'
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def _measure(name: str, data: Path) -> None:
    from models.cross_dataset import evaluate_elsewhere
    from models.evaluate import report

    found = evaluate_elsewhere(name, FaceSet.load(data), ("plain",))
    report(f"{name} on {data.name}", found.classes, found.metrics, Console(width=None if sys.stdout.isatty() else 200))
    print(
        f"{counted(len(found.classes), 'class is', 'classes are')} shared, {counted(found.left_out, 'image')} of "
        "others left out. Whether these weights were trained on some of these images is not known."
    )
    card = checkpoints.read_card(name)
    if found.classes == card.classes:
        checkpoints.write_card(checkpoints.checkpoint_folder(name), replace(card, metrics=found.metrics))
        print(f"Stored in the card of {name}.")
    else:
        print("Not stored in its card, which has metrics of all classes of the network only.")


@app.command(name="list")
def list_() -> None:
    """List the networks that were added, and files that could not be loaded."""
    list_models()  # runs the files
    table = Table("Network", "From", "Input", "Classes")
    for source, names in own_networks.networks_by_source().items():
        for name in names:
            spec = get_spec(name)
            table.add_row(name, source, _input(spec.input_size, spec.channels), "")
    failed = dict(own_networks.failed())
    for name in own_networks.remembered().checkpoints:
        try:
            card = checkpoints.read_card(name)
        except checkpoints.CheckpointError as error:
            failed[name] = str(error)
            continue
        architecture = card.overrides.get("architecture", card.network)
        table.add_row(
            name, f"weights of {architecture}", _input(card.input_size, card.channels), str(len(card.classes))
        )
    if table.row_count:
        Console(width=None if sys.stdout.isatty() else 120).print(table)
    else:
        print("No networks were added so far. See ferscope networks add --help.")
    for why in failed.values():
        print(why, file=sys.stderr)


def _input(side: int, channels: int) -> str:
    return f"{side} px, {'gray' if channels == 1 else 'RGB'}"


@app.command(name="rm")
def rm(name: Annotated[str, tyro.conf.Positional], /) -> None:
    """Remove a checkpoint that was added, or forget a Python file, which itself stays.

    Args:
        name: name as in `ferscope networks list`; for a Python file its path.
    """
    adding.remove(name)
    print(f"Removed {name}.")


def main(argv: list[str] | None = None) -> None:
    """Run `ferscope networks ...`; on an error, print one sentence and exit with status 1."""
    arguments = sys.argv[1:] if argv is None else argv
    try:
        app.cli(prog="ferscope networks", description=__doc__, args=arguments)
    except (OwnNetworkError, WeightsError, ValueError, OSError) as error:
        sys.exit(str(error))
