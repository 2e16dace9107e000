"""Logging, set up once: structured events on standard error, for a person or as JSON.

A message that repeats is cut to a few a period, with a count of those left out, so a venue that
sends nothing but errors cannot fill a disk.
"""

import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from barsync_async.ports import Clock
from barsync_async.units import NS_PER_MS

_PERIOD_NS = 10_000 * NS_PER_MS
_MOST_A_PERIOD = 10
_KEYS_KEPT = 1_024
_NAMES = ("feed", "reason", "container", "strategy", "output", "name", "component")

log = structlog.get_logger("barsync")


class RateLimit:
    """A structlog processor that lets each message through a few times a period; those of level
    debug always, for they were asked for, and what a strategy prints, of which there is a limit
    already.

    Two messages are the same when their text is, and all that they name: :data:`_NAMES`. The first
    one let through after some were left out says how many.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._periods: dict[tuple[str, ...], tuple[int, int]] = {}

    def __call__(self, logger: WrappedLogger, name: str, event: EventDict) -> EventDict:
        """Pass ``event`` on, or drop it."""
        del logger
        if name == "debug" or event.get("event") == "strategy says":
            return event
        key = tuple(str(event.get(part)) for part in ("event", *_NAMES))
        now = self._clock.now().mono
        began, seen = self._periods.get(key, (now, 0))
        if now - began >= _PERIOD_NS:
            if seen > _MOST_A_PERIOD:
                event["left_out"] = seen - _MOST_A_PERIOD
            began, seen = now, 0
        if len(self._periods) >= _KEYS_KEPT:
            self._periods.clear()
        self._periods[key] = (began, seen + 1)
        if seen >= _MOST_A_PERIOD:
            raise structlog.DropEvent
        return event

    def take_left_out(self) -> Iterator[dict[str, str | int]]:
        """Of each message of which some were left out and nothing said so yet: its text, what it
        names, and how many.
        """
        for key, (_, seen) in self._periods.items():
            if seen > _MOST_A_PERIOD:
                named = zip(("message", *_NAMES), key, strict=True)
                told = {part: value for part, value in named if value != "None"}
                yield {**told, "left_out": seen - _MOST_A_PERIOD}
        self._periods.clear()


def tell_left_out() -> None:
    """At the end: what was left out of the log and not told."""
    limits = [each for each in structlog.get_config()["processors"] if isinstance(each, RateLimit)]
    for left_out in [told for limit in limits for told in limit.take_left_out()]:
        log.info("repeated", **left_out)


def _over_a_bar(renderer: Processor) -> Processor:
    """On a terminal a line takes the place of the progress bar, which is drawn anew below it."""
    return lambda logger, name, event: f"\r\x1b[K{renderer(logger, name, event)!s}"


def set_up_logging(form: Literal["console", "json"], level: str, clock: Clock) -> None:
    """Send all logs to standard error in ``form``, from ``level`` up."""
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), timestamp_key="time")
    )
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            RateLimit(clock),
            structlog.processors.TimeStamper("iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
            _over_a_bar(renderer) if sys.stderr.isatty() else renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.CRITICAL, stream=sys.stderr)  # libraries keep quiet
    warnings.showwarning = _log_warning


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: str | None = None,
) -> None:
    """A warning of Python's, of a library or of the user's own code, in the form of the log."""
    del file, line
    at = f"{Path(filename).name}:{lineno}"
    log.warning("python", category=category.__name__, text=str(message), at=at)
