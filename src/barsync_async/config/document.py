"""A config's document before it is known to be one: it may hold anything at all."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class ComponentTable(NamedTuple):
    """What stands at ``path``, and should be a component's table."""

    path: tuple[str, ...]
    table: Mapping[str, Any]

    @property
    def kind(self) -> Any:
        """Its ``type``."""
        return self.table.get("type")

    @property
    def config(self) -> Mapping[str, Any]:
        """Its parameters."""
        return dict(items(self.table.get("config")))


def items(value: Any) -> Iterator[tuple[str, Any]]:
    """The items of what should be a table, and nothing of what is none."""
    if isinstance(value, Mapping):
        yield from value.items()


def containers(document: Mapping[str, Any]) -> Iterator[list[ComponentTable]]:
    """The components of each container."""
    for name, container in items(document.get("containers")):
        tables = items(dict(items(container)).get("components"))
        yield [
            ComponentTable(("containers", name, "components", component), dict(items(table)))
            for component, table in tables
        ]


def components(document: Mapping[str, Any]) -> Iterator[ComponentTable]:
    """Those of all containers."""
    for container in containers(document):
        yield from container
