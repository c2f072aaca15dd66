"""The web demo: a static folder in which a visitor's browser runs the networks, so that no image leaves the device.

    tracing      a network with its maps as one graph, the gradient of Grad-CAM included
    onnx_files   that graph as an ONNX file, its weights in fewer bits; the face detector
    storage      the smallest type of the weights that gives the workbench's results
    folder       `write`: the page of `workbench/web` with networks, samples, words and a service worker

The page itself is written in TypeScript, in the folder `web` of the repository; `make web` builds it.
"""

from .errors import WebDemoError
from .folder import WebDemo, write
from .storage import Exported, Measured, Storage, export_network

__all__ = ["Exported", "Measured", "Storage", "WebDemo", "WebDemoError", "export_network", "write"]
