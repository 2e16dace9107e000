"""One mistake."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """In ``file`` of ``package`` ``text``, which stands there exactly once, becomes ``instead``."""

    file: str
    name: str
    text: str
    instead: str
    package: str = "core"
