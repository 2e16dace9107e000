"""One mistake."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """In ``file`` of ``package`` ``text``, which stands there exactly once, becomes ``instead``."""

    file: str
    name: str
    text: str
    instead: str
    package: str = "core"


def mutants_of(path: str, *mistakes: tuple[str, str, str]) -> list[Mutant]:
    """Of the module ``path``, as ``portfolio/book``: name, text and what it becomes."""
    package, _, file = path.partition("/")
    return [Mutant(f"{file}.py", *mistake, package) for mistake in mistakes]
