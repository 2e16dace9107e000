"""Events as lines for a person to read, one a set with its features, signals and portfolio."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TextIO

from barsync_async.errors import OutputError
from barsync_async.messages import (
    BarRejected,
    ClockStep,
    Event,
    Features,
    Gap,
    LateBar,
    PortfolioUpdate,
    Signal,
    SourceStatus,
    StrategyFault,
    SynchronizedBars,
    SyncSkipped,
)
from barsync_async.shell.outputs.standard_output import standard_output

_COLOURS = {"complete": "32", "filled": "36", "partial": "33", "SKIPPED": "31", "LATE": "35"}
_FEATURES_SHOWN = 6


class ConsoleSink:
    """Writes to ``stream`` (standard output), in colour where that is a terminal."""

    def __init__(self, name: str, stream: TextIO | None = None) -> None:
        self.name = name
        self._stream = stream

    def open(self) -> None:
        """Take standard output where no stream was given."""
        self._stream = self._stream or standard_output()

    def write(self, events: Sequence[Event]) -> None:
        """One line for each event. Raises OutputError."""
        stream = self._stream or standard_output()
        colour = stream.isatty()
        try:
            stream.write("".join(f"{render(event, colour=colour)}\n" for event in events))
            stream.flush()
        except OSError as error:
            raise OutputError("standard output", f"cannot be written: {error}") from error

    def close(self) -> None:
        """Standard output is not ours to close."""


def render(event: Event, *, colour: bool = False) -> str:
    """One event as one line without its line feed."""
    moment = datetime.fromtimestamp(event.payload.timestamp / 1_000, UTC)
    head, text = _describe(event)
    if not text.isprintable():  # a strategy's words may move the cursor or break the line
        text = text.encode("unicode_escape").decode("ascii")
    shown = f"{head:<9}"
    if colour and head in _COLOURS:
        shown = f"\x1b[{_COLOURS[head]}m{shown}\x1b[0m"
    return f"{moment:%H:%M:%S} {shown} {text}"


def _describe(event: Event) -> tuple[str, str]:  # noqa: C901, PLR0911 - a table, one line a type
    match event.payload:
        case SynchronizedBars(revision=0) as bars:
            return bars.status, _set(bars)
        case SynchronizedBars() as bars:
            return "REVISED", f"no. {bars.revision}, {bars.status}: {_set(bars)}"
        case SyncSkipped() as skipped:
            return "SKIPPED", (
                f"{skipped.reason}, missing {' '.join(skipped.sources_missing)}, "
                f"waited {skipped.wait_ms:.1f} ms"
            )
        case LateBar() as late:
            return "LATE", f"{late.bar.source} by {late.late_by_ms:.1f} ms, {late.action}"
        case SourceStatus() as changed:
            return "SOURCE", f"{changed.source} is {changed.status}"
        case ClockStep() as step:
            return "CLOCK", f"moved by {step.step_ms:+,.0f} ms ({step.cause})"
        case BarRejected() as rejected:
            return "REJECTED", f"{rejected.reason} from {rejected.feed}: {rejected.detail}"
        case Features() as features:
            return "  features", _features(features.features)
        case Signal() as signal:
            targets = _pairs(signal.targets, "+.2f") or "no change"
            return "  signal", f"{signal.strategy}: {targets} ({signal.reason})"
        case StrategyFault() as fault:
            return "  FAULT", f"{fault.strategy} {fault.kind}: {fault.detail}, {fault.action}"
        case PortfolioUpdate() as portfolio:
            positions = _pairs(portfolio.positions, "+.2f") or "flat"
            return "  folio", (
                f"v{portfolio.version} {positions}, cash {portfolio.cash:,.2f}, "
                f"equity {portfolio.equity:,.2f}{_refused(portfolio)}"
            )
        case Gap() as gap:
            return "GAP", f"{gap.subscriber} lost {gap.events_lost} events"
    return event.event_type, ""


def _set(bars: SynchronizedBars) -> str:
    cells = (
        f"{source} {bar.close:.2f}{'' if bar.provenance == 'fresh' else f' {bar.provenance}'}"
        for source, bar in bars.bars.items()
    )
    return f"{' | '.join(cells)}{_missing(bars)}, waited {bars.wait_ms:.1f} ms"


def _missing(bars: SynchronizedBars) -> str:
    """Whom a complete set lacks was not due, and would be carried had it ever had a bar."""
    names = " ".join(bars.sources_missing)
    if not names:
        return ""
    return f", no {names} yet" if bars.status == "complete" else f", missing {names}"


def _refused(portfolio: PortfolioUpdate) -> str:
    """Which targets the limits did not let through, and where a decision was made on old news."""
    parts = [
        f"; {each.strategy} gets {each.granted:+.2f} of {each.target:+.2f} {each.symbol} "
        f"({each.reason})"
        for each in portfolio.refused
    ]
    parts += [f"; {' '.join(portfolio.stale)} stale"] if portfolio.stale else []
    return "".join(parts)


def _features(features: Mapping[str, Mapping[str, float]]) -> str:
    shown = {key: _pairs(values, ".4g") for key, values in features.items()}
    groups = [f"{key} {text}" for key, text in shown.items() if text]
    more = len(groups) - _FEATURES_SHOWN
    tail = f" | and {more} more" if more > 0 else ""
    return (" | ".join(groups[:_FEATURES_SHOWN]) + tail) or "warming up"


def _pairs(values: Mapping[str, float], form: str) -> str:
    """Without those that are not known yet; nothing is a plain 0."""
    known = {key: value for key, value in values.items() if not math.isnan(value)}
    return " ".join(f"{key} {value or 0:{form if value else ''}}" for key, value in known.items())
