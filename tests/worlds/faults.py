"""The kinds of fault there are. Each has to fire somewhere in a long run."""

from random import Random

from tests.worlds.world import MachineFault

OF_FRAMES = (
    "late",
    "lost",
    "duplicated",
    "reordered",
    "corrected",
    "contradictory",
    "future",
    "off_grid",
    "wrong_source",
    "malformed",
)
OF_FEEDS = (
    "burst",
    "slow_drip",
    "clean_cut",
    "abrupt_cut",
    "half_open",
    "snapshot",
    "refused",
    "slow_connect",
)
OF_THE_MACHINE: tuple[MachineFault, ...] = ("stall", "step_forward", "step_back", "suspend")
OF_WORKERS = (
    "slow_block",
    "slow_drop_oldest",
    "slow_latest",
    "slow_disconnect",
    "crashing_strategy",
    "garbage_strategy",
)
KINDS = (*OF_FRAMES, *OF_FEEDS, *OF_THE_MACHINE, *OF_WORKERS)


class Weather:
    """Which faults a world may have, and how often: some have many, some none."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        share = rng.choice([0.0, 0.15, 0.4, 0.7, 1.0])
        self._of_frames = {
            kind: rng.choice([0.02, 0.08, 0.25]) for kind in OF_FRAMES if rng.random() < share
        }
        self._of_feeds = {kind for kind in OF_FEEDS if rng.random() < share}
        is_steady = rng.random() < 0.6
        self.of_the_machine = (
            [] if is_steady else [kind for kind in OF_THE_MACHINE if rng.random() < 0.5]
        )

    def strikes(self, kind: str) -> bool:
        """Whether a frame has this fault."""
        return self._rng.random() < self._of_frames.get(kind, 0.0)

    def may(self, kind: str) -> bool:
        """Whether this fault of feeds is about."""
        return kind in self._of_feeds
