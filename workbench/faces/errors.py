"""The one error of images that cannot be used."""

from workbench.decoders.errors import PictureError

__all__ = ["PictureError"]
