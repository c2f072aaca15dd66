"""`ferscope export`: a trained network for other programs.

ferscope export residual_cnn --to onnx                          # residual_cnn.onnx, preprocessing inside
ferscope export residual_cnn --to hub-folder --push USER/NAME   # a folder with a model card, uploaded to the Hub
ferscope export web demo/                                       # a static page that runs the network in the browser
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from models.checkpoints import CheckpointError, is_name, load_checkpoint, read_card
from models.files import DiskFullError
from workbench.services.networks import folder_of

from . import folders, graph, web
from .errors import ExportError

Target = Literal["onnx", "torchscript", "hub-folder", "timm"]

_ENDINGS = {"onnx": ".onnx", "torchscript": ".pt", "hub-folder": "-hub", "timm": "-timm"}
_FOLDERS = {
    "hub-folder": (folders.write_hub_folder, folders.HUB_FILES),
    "timm": (folders.write_timm_folder, folders.TIMM_FILES),
}
_FILES = {"onnx": graph.write_onnx, "torchscript": graph.write_torchscript}


def export(
    network: Annotated[str, tyro.conf.Positional],
    to: Target,
    out: Path | None = None,
    input_type: graph.InputType = "uint8",
    license: str = "",
    push: str = "",
    private: bool = False,
) -> None:
    """Export a trained network, and check it against PyTorch. `ferscope export web OUT` writes the web demo.

    Args:
        network: name of a trained network, or the folder of a checkpoint
        to: one file with preprocessing inside (onnx, torchscript), or a folder with weights and a model card
        out: the file or folder; by default the network's name with .onnx, .pt, -hub or -timm
        input_type: data type of the images in 0..255 that an ONNX or TorchScript file takes
        license: identifier of the license of the weights for the model card, such as apache-2.0
        push: USER/NAME on the Hugging Face Hub; uploads the folder, with your token (hf auth login)
        private: make a repository that is created by --push private
    """
    if push and to not in _FOLDERS:
        sys.exit("--push uploads a folder: use --to hub-folder or --to timm.")
    if is_name(network):
        source, name = folder_of(network), network
    else:
        source, name = Path(network), Path(network).resolve().name
    out = out or Path(name + _ENDINGS[to])
    try:
        read_card(source)
        if to in _FOLDERS:
            write, files = _FOLDERS[to]
            worst = write(source, out, license)
        else:
            worst = _FILES[to](*load_checkpoint(source), out, input_type)
    except (CheckpointError, DiskFullError, ExportError, OSError) as error:
        sys.exit(str(error))
    print(f"{out}: largest difference from PyTorch {worst:.1e}")
    if push:
        print(pushed(out, files, push, private))


def pushed(folder: Path, files: tuple[str, ...], repository: str, private: bool) -> str:
    """Upload files of a folder to a repository on the Hub, which is created where it is missing; return its URL."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    api = HfApi()
    try:
        url = api.create_repo(repository, private=private or None, exist_ok=True)
        api.upload_folder(
            repo_id=url.repo_id, folder_path=folder, allow_patterns=list(files), commit_message="Upload from FERScope"
        )
    except HFValidationError as error:
        sys.exit(f'--push "{repository}" is not the name of a repository: give USER/NAME. ({error})')
    except (HfHubHTTPError, LocalTokenNotFoundError, OSError) as error:
        sys.exit(f"{folder} was written, but not uploaded: {error}. Log in with `hf auth login` and try again.")
    return str(url)


def main(argv: list[str] | None = None) -> None:
    """Run `ferscope export ...`; on an error, print one sentence and exit with status 1."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["web"]:
        web.main(argv[1:])
        return
    tyro.cli(export, prog="ferscope export", args=argv, config=(tyro.conf.FlagCreatePairsOff,))
