"""Who may read: not a feed whose bars a container has no room for.

A container in which sets wait to be published takes in, and seals in time, all that was read. What
must stop is the reading: bars that stay in the socket have not arrived yet, so no deadline runs.
"""

from collections.abc import Callable
from collections.abc import Set as AbstractSet


class Gate:
    """Open for a feed unless somebody has closed it for that feed."""

    def __init__(self) -> None:
        self._closed_by: dict[object, AbstractSet[str]] = {}
        self._watchers: dict[object, Callable[[], None]] = {}

    def is_open(self, feed: str) -> bool:
        """Whether ``feed`` may read."""
        return not any(feed in feeds for feeds in self._closed_by.values())

    def close(self, by: object, feeds: AbstractSet[str]) -> None:
        """Let ``feeds`` read no more until ``by`` opens again."""
        self._closed_by[by] = feeds
        self._tell()

    def open(self, by: object) -> None:
        """``by`` has room again; harmless where it had not closed."""
        self._closed_by.pop(by, None)
        self._tell()

    def watch(self, watcher: object, callback: Callable[[], None]) -> None:
        """Call ``callback`` after each change, until :meth:`unwatch`."""
        self._watchers[watcher] = callback

    def unwatch(self, watcher: object) -> None:
        """Harmless where it does not watch."""
        self._watchers.pop(watcher, None)

    def _tell(self) -> None:
        for callback in [*self._watchers.values()]:
            callback()
