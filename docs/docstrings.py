"""An extension of griffe: entries of docstrings that describe several names, as in `mean, std: …`."""

import re

from griffe import Extension, Object

_SEVERAL = re.compile(r"^(\s+)(\w+(?:, \w+)+)(?=: )", re.MULTILINE)


class SeveralNames(Extension):
    """Keeps such names together; griffe would take the second name for the type of the first."""

    def on_instance(self, *, obj: Object, **_) -> None:
        """Join the names by spaces that do not break."""
        if obj.docstring:
            obj.docstring.value = _SEVERAL.sub(
                lambda m: m[1] + m[2].replace(" ", "\N{NO-BREAK SPACE}"), obj.docstring.value
            )
