"""A model card in the Hub's format, made from a checkpoint's card."""

from __future__ import annotations

from collections.abc import Iterator

from huggingface_hub import EvalResult, ModelCardData

from models import PAPERS, Card, get_spec
from models.cards import IMAGENET, chain
from models.metrics import percent
from workbench.services.metrics.evaluation import is_of_fer2013

_LIBRARIES = {"hub-folder": "ferscope", "timm": "timm"}

_USE = {
    "hub-folder": """With [FERScope](https://pypi.org/project/ferscope) and this folder as `{name}`:

```python
from pathlib import Path
from models import load_checkpoint

model, card = load_checkpoint(Path("{name}"))
logits = model(card.prepare(images))  # images: uint8 {images}
```""",
    "timm": """With [timm](https://huggingface.co/docs/timm) and this folder as `{name}`:

```python
import timm

model = timm.create_model("local-dir:{name}", pretrained=True).eval()
logits = model(x)  # x: float (B, {channels}, {size}, {size}), normalized {color} faces
```""",
}


def model_card(name: str, card: Card, target: str, license_: str = "") -> str:
    """The text of README.md: a YAML header for the Hub, then use, preprocessing, training, results and limits.

    Args:
        name: name of the folder.
        card: card of the checkpoint.
        target: "hub-folder" or "timm".
        license_: identifier of the weights' license, such as "apache-2.0"; empty leaves it out.
    """
    header = ModelCardData(
        library_name=_LIBRARIES[target],
        license=license_ or None,
        pipeline_tag="image-classification",
        tags=["facial-expression-recognition", "safetensors", *(["fer2013"] if is_of_fer2013(card) else [])],
        model_name=name,
        eval_results=list(_results(card)) or None,
    )
    body = "\n\n".join(
        "\n".join(part) for part in (_head(name, card, target), _training(card), _measured(card), _limits())
    )
    return f"---\n{header.to_yaml()}\n---\n\n{body}\n"


def _dataset(card: Card) -> str:
    return "FER2013" if is_of_fer2013(card) else f"dataset {card.data}"


def _results(card: Card) -> Iterator[EvalResult]:
    """Accuracy, macro F1 and balanced accuracy of a single view on the test set, which is the card's last."""
    for part in list(card.metrics)[-1:] if not card.seen else []:
        found = card.metrics[part]["plain"]
        for metric, value in (
            ("accuracy", found["accuracy"]),
            ("f1", found["macro_f1"]),
            ("balanced_accuracy", found["balanced_accuracy"]),
        ):
            yield EvalResult(
                task_type="image-classification",
                dataset_type="fer2013" if is_of_fer2013(card) else "other",
                dataset_name=_dataset(card),
                dataset_split=part,
                metric_type=metric,
                metric_value=round(value, 4),
            )


def _head(name: str, card: Card, target: str) -> Iterator[str]:
    spec = get_spec(card.network)
    yield f"# {name}"
    yield ""
    yield f"{spec.title}, a network for facial-expression recognition with {card.parameters / 1e6:.2f} M parameters."
    if spec.paper in PAPERS:
        yield f"Architecture after: *{PAPERS[spec.paper]}*."
    yield ""
    yield "## Use"
    yield ""
    color, images = ("gray", "(B, H, W), gray faces") if not card.color else ("RGB", "(B, H, W, 3), RGB faces")
    yield _USE[target].format(name=name, size=card.input_size, channels=card.channels, color=color, images=images)
    yield ""
    yield f"Input: the {color} image of a face, resized with antialiasing to {card.input_size} × {card.input_size}"
    yield f"pixels, in 0..1, normalized with mean {_numbers(card.mean)} and standard deviation {_numbers(card.std)}."
    yield ""
    yield f"Classes, in the order of the logits: {', '.join(card.classes)}."
    if card.temperature:
        yield ""
        yield f"Calibrated probabilities: softmax(logits / {card.temperature:.3f})."


def _numbers(value: float | tuple[float, ...]) -> str:
    return ", ".join(f"{v:.4f}" for v in (value if isinstance(value, tuple) else (value,)))


def _training(card: Card) -> Iterator[str]:
    yield "## Training"
    yield ""
    yield f"Trained on {_dataset(card)}, split `{card.split}`, recipe `{card.recipe}`, seed {card.seed}, {card.epochs}"
    yield f"epochs; epoch {card.best_epoch} was selected on the validation set."
    if card.excluded:
        yield f"\n{card.excluded.sentence}\n"
    for one in chain(card.ancestors):
        roles = " and ".join(one.roles)
        yield f"- {roles}: {one.name}" + ("" if one.name == IMAGENET else f" (`{one.network}`, split `{one.split}`)")


def _measured(card: Card) -> Iterator[str]:
    yield "## Results"
    yield ""
    if not card.metrics:
        yield "Not evaluated."
        return
    yield "| set | views | accuracy (95 % interval) | balanced accuracy | macro F1 |"
    yield "|---|---|---:|---:|---:|"
    for part, ways in card.metrics.items():
        for way, found in ways.items():
            accuracy = percent((found["accuracy"], *found["accuracy_interval"]))
            others = (f"{100 * found[measure]:.1f} %" for measure in ("balanced_accuracy", "macro_f1"))
            yield f"| {part} | {way} | {accuracy} | {' | '.join(others)} |"
    if card.caveat:
        yield ""
        yield card.caveat


def _limits() -> Iterator[str]:
    yield "## Limits"
    yield ""
    yield "The network predicts what annotators labeled a face, not what a person feels. It is not for judging"
    yield "students, staff or applicants; in the European Union, Article 5(1)(f) of the AI Act prohibits inferring"
    yield "people's emotions in schools and workplaces, with medical and safety uses excepted."
