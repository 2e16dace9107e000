"""What the containers of a world are to do: configs drawn over all options."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from tests.worlds.strategies import PATHS
from tests.worlds.world import FUTURES_MS, TIMEOUTS_MS, ContainerPlan, Sessions

from barsync_async.units import SourceId, WallMs, split_source

_ZONES = ("UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")


def drawn_containers(
    sources: Sequence[SourceId], minute: WallMs, rng: Random, *, forgets: bool
) -> tuple[ContainerPlan, ...]:
    """One to three; each source is in at least one of them.

    Args:
        sources: all that the feeds have.
        minute: a whole minute within the world, at which sessions may begin or end.
        rng: draws.
        forgets: let what comes out depend on how little is remembered.
    """
    count = rng.choice([1, 1, 2, 3])
    chosen = [set(rng.sample(list(sources), rng.randint(1, len(sources)))) for _ in range(count)]
    chosen[0] |= set(sources) - set().union(*chosen)
    return tuple(
        _container(f"c{number}", tuple(sorted(each)), minute, rng, forgets=forgets)
        for number, each in enumerate(chosen, 1)
    )


def _container(
    name: str, sources: tuple[SourceId, ...], minute: WallMs, rng: Random, *, forgets: bool
) -> ContainerPlan:
    sessions: dict[SourceId, Sessions] = {}
    config = _synchronizer(rng, forgets=forgets)
    if rng.random() < 0.3:
        config["calendars"], sessions = _calendars(sources, minute, rng)
    components, strategies = _workers(sources, rng)
    if strategies:
        config["allow_lookahead"] = True
    return ContainerPlan(name, sources, config, sessions, components, strategies)


def _synchronizer(rng: Random, *, forgets: bool) -> dict[str, Any]:
    config: dict[str, Any] = {
        "timeout_ms": rng.choice(TIMEOUTS_MS),
        "require_all": rng.random() < 0.5,
        "deadline_from": rng.choice(["first_bar", "close"]),
        "min_wait_ms": rng.choice([0, 20, 80]),
        "missing": rng.choice(["skip", "last_known", "interpolate"]),
        "hold_ms": rng.choice([0, 150, 700, 2_000]),
        "late": rng.choice(["drop", "amend"]),
        "allowed_lateness_ms": rng.choice([0, 300.25, 2_000.25, 60_000]),
        "idle_after": rng.choice([0, 1, 2, 3]),
        "exclude_idle": rng.random() < 0.4,
        "max_future_ms": rng.choice(FUTURES_MS),
        "max_open": rng.choice([1, 2, 3, 8, 64]),
    }
    if rng.random() < 0.3:
        config["max_age_ms"] = rng.choice([1_000, 4_000, 30_000])
    if rng.random() < 0.04:
        config["inbox"] = rng.choice([1, 2, 5])
    if forgets:
        config["history"] = rng.choice([1, 3, 10])
    return config


def _workers(sources: Sequence[SourceId], rng: Random) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Features, strategies and a portfolio; or fewer of them, or none."""
    depth = rng.choice([0, 0, 1, 2, 3, 3])
    components: dict[str, Any] = {}
    strategies: tuple[str, ...] = ()
    if depth > 0:
        config: dict[str, Any] = {"indicators": _INDICATORS}
        components["features"] = {"type": "MultiSymbolFeatureCalculator", "config": config}
    if depth > 1:
        strategies = tuple(rng.sample(sorted(_STRATEGIES), rng.randint(1, 4)))
        config = {
            "strategies": [_STRATEGIES[each] for each in strategies],
            "parallel": rng.random() < 0.7,
        }
        components["strategies"] = {"type": "StrategyRunner", "config": config}
    if depth > 2:
        components["portfolio"] = {"type": "Portfolio", "config": {"cash": 100_000.0}}
    return components, strategies


_INDICATORS = [
    {"name": "sma", "window": 3, "label": "sma"},
    {"name": "rsi", "window": 3, "label": "rsi"},
    {"name": "correlation", "window": 4, "label": "correlation"},
    {"name": "spread", "window": 4, "label": "spread"},
]
_STRATEGIES: Mapping[str, Any] = {
    "momentum": "momentum",
    "pairs_trading": {"name": "pairs_trading", "entry": 0.8, "exit": 0.2},
    **PATHS,
}


# Calendars


def _calendars(
    sources: Sequence[SourceId], minute: WallMs, rng: Random
) -> tuple[dict[str, Any], dict[SourceId, Sessions]]:
    """The config's table, and what it means for each source that has a calendar."""
    chosen: dict[str, tuple[Any, Sessions | None]] = {}
    for source in sources:
        if rng.random() < 0.4:
            key = rng.choice([source, split_source(source)[0]])
            chosen[key] = _hours(rng.choice(_KINDS), minute, ZoneInfo(rng.choice(_ZONES)))
    keys = {source: _key(source, chosen) for source in sources}
    tables = {key: chosen[key][0] for key in keys.values() if key is not None}
    return tables, {
        source: sessions
        for source, key in keys.items()
        if key is not None and (sessions := chosen[key][1]) is not None
    }


def _key(source: SourceId, chosen: Mapping[str, Any]) -> str | None:
    return next((key for key in (source, split_source(source)[0]) if key in chosen), None)


_KINDS = ("always", "opens", "closes", "around", "holiday", "early")
_DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def _hours(kind: str, minute: WallMs, zone: ZoneInfo) -> tuple[Any, Sessions | None]:
    """Hours by which a market opens or closes at ``minute``, is open all the time, or closed."""
    if kind == "always":
        return "24/7", None
    now = datetime.fromtimestamp(minute / 1_000, UTC).astimezone(zone)
    opens = now if kind == "opens" else now - timedelta(hours=1)
    closes = now if kind == "closes" else now + timedelta(hours=2)
    table: dict[str, Any] = {
        "timezone": zone.key,
        "open": f"{opens:%H:%M}",
        "close": f"{closes:%H:%M}",
        "days": _DAYS,
    }
    if kind == "holiday":
        return table | {"holidays": [f"{opens:%Y-%m-%d}"]}, []
    if kind == "early":
        table["early_closes"] = {f"{opens:%Y-%m-%d}": f"{now:%H:%M}"}
        closes = now
    return table, [(_ms(opens), _ms(closes))]


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000)
