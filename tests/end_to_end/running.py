"""The installed command as a process of its own, watched by what it writes."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

LIMIT_S = 120.0
BARSYNC = Path(sys.executable).with_name("barsync")

Line = dict[str, Any]


class Watched:
    """Every line of one stream so far, and a wait for the next."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self._changed = asyncio.Condition()
        self._ended = False

    async def follow(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            async with self._changed:
                self.text.append(line.decode())
                self._changed.notify_all()
        async with self._changed:
            self._ended = True
            self._changed.notify_all()

    def json(self) -> list[Line]:
        return [json.loads(line) for line in self.text if line.startswith("{")]

    async def until(self, wanted: Callable[[Line], Any], skip: int = 0) -> Line:
        """The first JSON line for which ``wanted`` holds, after the first ``skip`` lines."""
        text = await self.until_text(
            lambda text: text.startswith("{") and wanted(json.loads(text)), skip
        )
        found: Line = json.loads(text)
        return found

    async def until_text(self, wanted: Callable[[str], bool], skip: int = 0) -> str:
        """The first line for which ``wanted`` holds, after the first ``skip`` lines."""
        seen = skip
        async with self._changed:
            while True:
                for text in self.text[seen:]:
                    seen += 1
                    if wanted(text):
                        return text
                assert not self._ended, "the process ended first: " + "".join(self.text[-20:])
                await self._changed.wait()


def counted(wanted: Callable[[Line], Any], count: int) -> Callable[[Line], bool]:
    """Holds at the ``count``-th line for which ``wanted`` holds."""
    seen = 0

    def is_last(line: Line) -> bool:
        nonlocal seen
        seen += bool(wanted(line))
        return seen >= count

    return is_last


class Running:
    """A process; ``out`` and ``err`` grow as it writes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.out, self.err = Watched(), Watched()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self) -> int:
        return await self.process.wait()

    async def logged(self, event: str, skip: int = 0) -> Line:
        return await self.err.until(lambda line: line.get("event") == event, skip)

    async def logged_times(self, event: str, count: int) -> list[Line]:
        """The first ``count`` of such lines."""
        await self.err.until(counted(lambda line: line.get("event") == event, count))
        return [line for line in self.err.json() if line.get("event") == event][:count]

    async def address(self) -> str:
        """Where a simulated venue listens."""
        line = await self.err.until_text(lambda text: "listening" in text)
        return line.rpartition("url=")[2].strip()

    def events(self, *types: str) -> list[Line]:
        return [line for line in self.out.json() if line["type"] in types]


@asynccontextmanager
async def barsync(
    *arguments: str | Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    program: str | Path = BARSYNC,
    pass_fds: tuple[int, ...] = (),
    stdout: int = asyncio.subprocess.PIPE,
) -> AsyncIterator[Running]:
    """``barsync ARGUMENTS`` in ``cwd``; killed at the end if it still runs. ``stdout`` may be a
    file descriptor; then nobody follows what it writes there.
    """
    process = await asyncio.create_subprocess_exec(
        program,
        *map(str, arguments),
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
        limit=2**24,
        pass_fds=pass_fds,
    )
    assert process.stderr is not None
    running = Running(process)
    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as tasks:
        if process.stdout is not None:
            tasks.create_task(running.out.follow(process.stdout))
        tasks.create_task(running.err.follow(process.stderr))
        try:
            yield running
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


def toml(document: Mapping[str, Any]) -> str:
    """``document`` as TOML, each of its tables on one line."""
    return "\n".join(f"{json.dumps(key)} = {_inline(value)}" for key, value in document.items())


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{json.dumps(key)} = {_inline(each)}" for key, each in value.items())
        return f"{{ {inner} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    return json.dumps(value)


def write_sync_config(
    folder: Path, feed: Mapping[str, Any], synchronizer: Mapping[str, Any]
) -> Path:
    """One feed ``x``, one synchronizer; events on standard output, the log as JSON."""
    component = {"type": "BarSynchronizer", "config": synchronizer}
    document = {
        "service": {"log_format": "json"},
        "feeds": {"x": feed},
        "containers": {"c": {"components": {"synchronizer": component}}},
        "outputs": {"events": {"type": "jsonl", "path": "-"}},
    }
    path = folder / "config.toml"
    path.write_text(toml(document), "utf-8")
    return path


def write_config(
    folder: Path,
    url: str,
    sources: list[str],
    containers: Mapping[str, Mapping[str, Any]],
    *,
    events: list[str] | None = None,
    log_level: str = "info",
) -> Path:
    """A config with one feed and, for each of ``containers``, a synchronizer of all its sources;
    JSON lines on standard output, JSON logs.
    """
    lines = [
        f'[service]\nlog_format = "json"\nlog_level = "{log_level}"',
        f'[feeds.sim]\nvenue = "binance"\nurl = "{url}"\nsources = {json.dumps(sources)}',
        '[outputs.events]\ntype = "jsonl"\npath = "-"',
        *([f"events = {json.dumps(events)}"] if events else []),
    ]
    for name, settings in containers.items():
        table = {"expected_sources": sources} | dict(settings)
        given = ", ".join(f"{key} = {json.dumps(value)}" for key, value in table.items())
        lines += [f"[containers.{name}.components.synchronizer]", 'type = "BarSynchronizer"']
        lines += [f"config = {{ {given} }}"]
    path = folder / "config.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path
