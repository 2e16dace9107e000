"""What is wrong in a config: each table by itself, and which sources and files are where.

The document may hold anything at all; nothing here assumes more of it than it has looked at.
"""

from collections.abc import Iterator, Mapping, Sequence
from posixpath import normpath
from typing import Any

from pydantic import ValidationError

from barsync_async.aggregation.bars import why_not_nested
from barsync_async.config.document import components, items
from barsync_async.config.json_format import JsonFormatConfig
from barsync_async.config.tables import (
    CALENDAR_KINDS,
    COMPONENT_CONFIGS,
    FILE_VENUE,
    OUTPUT_TYPES,
)
from barsync_async.errors import Mistake
from barsync_async.mistakes import key_path, mistake
from barsync_async.units import (
    TRADES,
    SourceId,
    is_trades,
    source_id,
    split_source,
    split_stream,
)
from barsync_async.venues import CODECS, Codec
from barsync_async.venues.options import Credentials, VenueOptions


def told(error: ValidationError, prefix: tuple[str | int, ...]) -> Iterator[Mistake]:
    """What pydantic found wrong in the table at ``prefix``."""
    for detail in error.errors(include_url=False):
        keys = _without_tags((*prefix, *detail["loc"]))
        yield mistake(detail, keys, f"needs type, one of {' '.join(OUTPUT_TYPES)}")


def _without_tags(keys: Sequence[str | int]) -> Sequence[str | int]:
    """Without what pydantic puts in to say which member of a union it tried."""
    if keys[0] == "outputs":
        return (*keys[:2], *keys[3:])
    return [key for place, key in enumerate(keys) if not _is_calendar_kind(keys, place)]


def _is_calendar_kind(keys: Sequence[str | int], place: int) -> bool:
    is_after = place >= 2 and keys[place - 2] == "calendars"  # noqa: PLR2004 - two keys on
    return is_after and keys[place] in CALENDAR_KINDS


def component_mistakes(document: Mapping[str, Any]) -> Iterator[Mistake]:
    """Component types that do not exist, and what is wrong in the others' ``config``."""
    for each in components(document):
        path, kind = each.path, each.kind
        model = COMPONENT_CONFIGS.get(kind) if isinstance(kind, str) else None
        config = each.table.get("config", {})
        if model is not None and isinstance(config, Mapping):
            try:
                model.model_validate(config)
            except ValidationError as error:
                yield from told(error, (*path, "config"))
        elif model is None and isinstance(kind, str) and ":" not in kind:
            known = " ".join(COMPONENT_CONFIGS)
            expected = f"expected one of {known}, or package.module:Class"
            yield Mistake(key_path((*path, "type")), repr(kind), expected)


def feed_mistakes(document: Mapping[str, Any]) -> Iterator[Mistake]:
    """Venues that do not exist, and sources that they do not have or that stand twice."""
    streams: dict[tuple[str, str], str] = {}
    for name, feed in items(document.get("feeds")):
        table = dict(items(feed))
        venue = table.get("venue")
        codec = CODECS.get(venue) if isinstance(venue, str) else None
        if codec is None and isinstance(venue, str) and venue != FILE_VENUE:
            expected = f"expected one of {' '.join(CODECS)} {FILE_VENUE}"
            yield Mistake(key_path(("feeds", name, "venue")), repr(venue), expected)
        yield from _derived_mistakes(name, table)
        yield from _file_mistakes(name, table)
        options = _options(table)
        for index, source in _streams(table.get("sources")):
            path = key_path(("feeds", name, "sources", index))
            if codec and options and (why := _unsupported(codec, source, options)):
                yield Mistake(path, repr(source), why)
                continue
            stream = source if codec is None else _stream_name(codec, source)
            twin = streams.setdefault((name, stream), path)
            if twin != path:
                yield Mistake(path, repr(source), f"is the same stream as {twin}")


def _unsupported(codec: Codec, source: SourceId, options: VenueOptions) -> str | None:
    """Why ``codec`` cannot carry ``source``, which may be a stream of trades."""
    if is_trades(source) and not codec.facts.trades:
        return f"barsync reads no trades of {codec.facts.title}"
    return codec.supports(_as_bars(codec, source), options)


def _stream_name(codec: Codec, source: SourceId) -> str:
    """What the venue calls it, the trades of a symbol apart from its bars."""
    name = codec.stream(_as_bars(codec, source))
    return f"trades {name}" if is_trades(source) else name


def _as_bars(codec: Codec, source: SourceId) -> SourceId:
    """For a stream of trades, bars of the same symbol."""
    symbol, _ = split_stream(source)
    return source_id(symbol, codec.facts.timeframes[0]) if is_trades(source) else source


def _derived_mistakes(name: str, table: Mapping[str, Any]) -> Iterator[Mistake]:
    """Longer bars that cannot be made of what the feed has."""
    sources = {source for _, source in _streams(table.get("sources"))}
    for source, parts in items(table.get("derived")):
        if not (_is_source(source) and isinstance(parts, str) and _is_stream(parts)):
            continue
        keys = ("feeds", name, "derived", source)
        (symbol, longer), (part_symbol, shorter) = split_source(source), split_stream(parts)
        if parts not in sources:
            yield Mistake(key_path(keys), repr(parts), "is not among the feed's sources")
        elif source in sources:
            yield Mistake(key_path(keys), repr(parts), f"the feed has {source} itself")
        elif symbol != part_symbol:
            yield Mistake(key_path(keys), repr(parts), f"is of another symbol than {source}")
        elif shorter != TRADES and (why := why_not_nested(shorter, longer)):
            yield Mistake(key_path(keys), repr(parts), why)


def _file_mistakes(name: str, table: Mapping[str, Any]) -> Iterator[Mistake]:
    """Files of sources that the feed does not have, and the reverse; files of no file feed."""
    files = dict(items(table.get("files")))
    if table.get("venue") != FILE_VENUE:
        if files:
            expected = f'only a feed with venue = "{FILE_VENUE}" reads files'
            yield Mistake(key_path(("feeds", name, "files")), "", expected)
        return
    sources = {source: index for index, source in _streams(table.get("sources"))}
    for source, index in sources.items():
        if source not in files:
            path = key_path(("feeds", name, "sources", index))
            yield Mistake(path, repr(source), f"has no file: add files.{source}")
    for of in files:
        if of not in sources:
            path = key_path(("feeds", name, "files", of))
            yield Mistake(path, "", "is not among the feed's sources")


def live_mistakes(document: Mapping[str, Any]) -> Iterator[Mistake]:
    """Feeds of files beside live ones: the former run on virtual time."""
    venues = {name: dict(items(feed)).get("venue") for name, feed in items(document.get("feeds"))}
    if FILE_VENUE in venues.values():
        for name, venue in venues.items():
            if venue != FILE_VENUE:
                expected = "a feed of files runs on virtual time: none beside it can be live"
                yield Mistake(key_path(("feeds", name, "venue")), repr(venue), expected)


def _options(table: Mapping[str, Any]) -> VenueOptions | None:
    """As much of a feed's options as the choice of sources depends on; None where its ``format`` is
    wrong, which is told as such.
    """
    url, key, secret = (table.get(name) for name in ("url", "key", "secret"))
    credentials = Credentials(key, secret if isinstance(secret, str) else "") if key else None
    try:
        given = table.get("format")
        form = None if given is None else JsonFormatConfig.model_validate(given).made
    except ValidationError:
        return None
    return VenueOptions(
        url=url if isinstance(url, str) else None, credentials=credentials, format=form
    )


def output_mistakes(document: Mapping[str, Any]) -> Iterator[Mistake]:
    """Outputs that write where another one does."""
    places: dict[str, str] = {}
    for name, output in items(document.get("outputs")):
        table = dict(items(output))
        path = table.get("path")
        if table.get("type") == "jsonl" and isinstance(path, str):
            where = key_path(("outputs", name, "path"))
            first = places.setdefault(normpath(path), where)
            if first != where:
                expected = f"{first} is the same: lines of both would stand in it as they come"
                yield Mistake(where, repr(path), expected)


def source_mistakes(document: Mapping[str, Any]) -> Iterator[Mistake]:
    """Expected sources that no feed provides; none while it is not known what one provides."""
    feeds = [dict(items(feed)) for _, feed in items(document.get("feeds"))]
    if not all(isinstance(feed.get("sources"), list) for feed in feeds):
        return
    provided = {source for feed in feeds for source in _provided(feed)}
    for where, source in expected_in(document):
        if source not in provided:
            yield Mistake(where, repr(source), "no feed has this source")


def expected_in(document: Mapping[str, Any]) -> Iterator[tuple[str, SourceId]]:
    """The sources that the synchronizers of ``document`` expect, each with where it stands."""
    for each in components(document):
        if each.kind == "BarSynchronizer":
            for index, source in _sources(each.config.get("expected_sources")):
                yield key_path((*each.path, "config", "expected_sources", index)), source


def _provided(feed: Mapping[str, Any]) -> Iterator[str]:
    yield from (source for _, source in _sources(feed.get("sources")))
    yield from (source for source, _ in items(feed.get("derived")))


def _sources(value: Any) -> Iterator[tuple[int, SourceId]]:
    """The well-formed source names in what should be a list of them, with their places."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            if isinstance(each, str) and _is_source(each):
                yield index, SourceId(each)


def _streams(value: Any) -> Iterator[tuple[int, SourceId]]:
    """The same, and streams of trades."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            if isinstance(each, str) and _is_stream(each):
                yield index, SourceId(each)


def _is_stream(text: str) -> bool:
    return is_trades(text) or _is_source(text)


def _is_source(text: str) -> bool:
    try:
        split_source(text)
    except ValueError:
        return False
    return True
