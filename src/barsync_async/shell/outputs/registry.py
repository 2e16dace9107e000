"""Which table of the config makes which sink."""

from barsync_async.config import ConsoleConfig, JsonlConfig
from barsync_async.ports import Sink
from barsync_async.shell.outputs.console import ConsoleSink
from barsync_async.shell.outputs.jsonl import JsonlSink


def make_sink(name: str, table: JsonlConfig | ConsoleConfig) -> Sink:
    """The sink that ``table`` describes, not opened yet."""
    match table:
        case JsonlConfig(path=path):
            return JsonlSink(name, path)
        case ConsoleConfig():
            return ConsoleSink(name)
