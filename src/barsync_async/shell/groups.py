"""Errors out of task groups, as they were raised."""

from collections.abc import Iterator
from contextlib import contextmanager

from barsync_async.errors import OutputError


@contextmanager
def one_error() -> Iterator[None]:
    """Raise the one error that ended a task group as itself, not as a group of one; of outputs
    that fail in the same moment, as on a full disk, the first.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        outputs_only = group.split(OutputError)[1] is None
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            if len(error.exceptions) > 1 and not outputs_only:
                break
            error = error.exceptions[0]
        raise error from None
