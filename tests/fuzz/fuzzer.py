"""Gives mutants to one codec and its history, and keeps what broke a promise."""

import gc
import json
import traceback
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from tests.fuzz import checks
from tests.fuzz.corpus import Asked, Subject, subject
from tests.fuzz.mutation import DELAYS, STATUSES, Mutator

from barsync_async.ports import VenueSession
from barsync_async.venues.history.exchange import HistoryRequest, HistoryResponse

MOST_FAILURES = 20
"""Of different kinds, for one codec; then it is left alone."""

_USES = 300
_OWN_SHARE = 0.7
_HISTORY_SHARE = 0.2
_MEMORY_EVERY = 211
_LARGE = 30_000
_COLLECT_EVERY = 10_000

Frame = str | bytes


class Failure(NamedTuple):
    """What broke, by what, and where it is kept."""

    codec: str
    problem: str
    path: Path

    @property
    def command(self) -> str:
        """Does it again."""
        return f"python -m tests.fuzz.run --replay {self.path}"


class Fuzzer:
    """One codec's; ``costs``: processor time is checked too, which a busy machine may blur."""

    def __init__(self, one: Subject, seed: int, into: Path, *, costs: bool = True) -> None:
        self._subject = one
        self._sources = frozenset(one.sources)
        self._seed = seed
        self._into = into
        self._costs = costs
        self._own = Mutator(seed, one.frames or one.foreign)
        self._foreign = Mutator(seed + 1, one.foreign)
        bodies = [asked.response.body.decode("utf-8", "replace") for asked in one.exchanges]
        self._bodies = Mutator(seed + 2, bodies or ["[]"])
        self._random = self._own.random
        self._used = one.session()
        self._since_fresh: list[Frame] = []
        self._kinds: set[str] = set()
        self.failures: list[Failure] = []
        self.inputs = 0

    @property
    def name(self) -> str:
        """The codec's."""
        return self._subject.name

    @property
    def is_full(self) -> bool:
        """Whether enough kinds of failure were found."""
        return len(self.failures) >= MOST_FAILURES

    def step(self) -> None:
        """One input."""
        self.inputs += 1
        if self.inputs % _COLLECT_EVERY == 0:
            gc.collect()
        if self._subject.exchanges and self._random.random() < _HISTORY_SHARE:
            self._step_history()
        else:
            self._step_frame()

    def _step_frame(self) -> None:
        own = self._random.random() < _OWN_SHARE
        frame = self._as_frame((self._own if own else self._foreign).mutant())
        if self._random.random() < 0.5:
            self._try_frames([frame])
            return
        if len(self._since_fresh) >= _USES:
            self._used, self._since_fresh = self._subject.session(), []
        self._since_fresh.append(frame)
        try:
            self._receive(self._used, frame, partial(self._give_to_fresh, frame))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a find
            broken, self._since_fresh = self._since_fresh, []
            self._used = self._subject.session()
            if not self._try_frames([frame]):
                self._keep(error, self._described(broken))

    def _as_frame(self, mutant: bytes) -> Frame:
        """As text or as bytes, as a connection may give it."""
        if self._random.random() < 0.5:
            return mutant
        try:
            return mutant.decode("utf-8", self._random.choice(("strict", "surrogatepass")))
        except UnicodeDecodeError:
            return mutant

    def _try_frames(self, frames: Sequence[Frame]) -> bool:
        """Whether these frames, given to a fresh session, break it."""
        session = self._subject.session()
        try:
            for frame in frames:
                self._receive(session, frame, partial(self._give_to_fresh, frame))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a find
            self._keep(error, self._described(frames))
            return True
        return False

    def _receive(self, session: VenueSession, frame: Frame, again: Callable[[], object]) -> None:
        found: list[Any] = []
        spent = checks.cpu_ns(lambda: found.append(session.receive(frame)))
        checks.check_received(found[0], self._sources)
        if not self._sources.issuperset(session.unacknowledged()):
            raise checks.Broken("unacknowledged sources that nobody asked for")
        self._check_costs(spent, len(frame), again)

    def _give_to_fresh(self, frame: Frame) -> object:
        return self._subject.session().receive(frame)

    def _check_costs(self, spent: int, size: int, again: Callable[[], object]) -> None:
        if self._costs:
            checks.check_time(spent, again)
        if self.inputs % _MEMORY_EVERY == 0 or (size > _LARGE and self._random.random() < 0.2):
            checks.check_memory(again)

    def _step_history(self) -> None:
        request, response = self._random.choice(self._subject.exchanges)
        status = self._random.choice((response.status, *STATUSES))
        headers = dict(response.headers)
        if self._random.random() < 0.3:
            headers["retry-after"] = self._random.choice(DELAYS)
        mutant = HistoryResponse(status, headers, self._bodies.mutant())
        try:
            self._exchange(Asked(request, mutant))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a find
            self._keep(error, _described_exchange(self._subject.name, request, mutant))

    def _exchange(self, asked: Asked) -> None:
        history = self._subject.history
        assert history is not None
        found: list[Any] = []
        again = partial(history.receive, asked.request, asked.response)
        spent = checks.cpu_ns(lambda: found.append(again()))
        checks.check_answer(found[0], asked.request)
        self._check_costs(spent, len(asked.response.body), again)

    def again(self, told: dict[str, Any]) -> None:
        """What a failure's file tells of."""
        if "frames" in told:
            self._try_frames([_read(each) for each in told["frames"]])
            return
        request = msgspec.convert(told["request"], HistoryRequest)
        response = HistoryResponse(told["status"], told["headers"], b64decode(told["body"]))
        try:
            self._exchange(Asked(request, response))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a find
            self._keep(error, told)

    # Failures

    def _described(self, frames: Sequence[Frame]) -> dict[str, Any]:
        return {"codec": self._subject.name, "frames": [_written(frame) for frame in frames]}

    def _keep(self, error: Exception, description: dict[str, Any]) -> None:
        """Write what is needed to do it again; once for each kind."""
        problem = _problem(error)
        if problem in self._kinds or self.is_full:
            return
        self._kinds.add(problem)
        self._into.mkdir(parents=True, exist_ok=True)
        name = f"{self._subject.name}-{self._seed}-{len(self.failures)}.json"
        path = self._into / name
        path.write_text(json.dumps(description | {"problem": problem}), encoding="ascii")
        self.failures.append(Failure(self._subject.name, problem, path))


def _problem(error: Exception) -> str:
    """The kind of a failure, and where in the codec it happened."""
    if isinstance(error, checks.Broken):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}"
    return f"{type(error).__name__} at {where}"


def _written(frame: Frame) -> dict[str, str]:
    if isinstance(frame, str):
        return {"text": frame}
    return {"base64": b64encode(frame).decode()}


def _read(written: dict[str, str]) -> Frame:
    return written["text"] if "text" in written else b64decode(written["base64"])


def _described_exchange(
    name: str, request: HistoryRequest, response: HistoryResponse
) -> dict[str, Any]:
    return {
        "codec": name,
        "request": msgspec.to_builtins(request),
        "status": response.status,
        "headers": dict(response.headers),
        "body": b64encode(response.body).decode(),
    }


def replay(path: Path, into: Path) -> Sequence[Failure]:
    """Do again what ``path`` tells of; what broke this time is written to ``into``."""
    told = json.loads(path.read_text("ascii"))
    fuzzer = Fuzzer(subject(told["codec"]), 0, into)
    fuzzer.again(told)
    return fuzzer.failures
