"""A config, run to its end: what ``barsync run`` does, for programs as well."""

from functools import partial

from barsync_async.app.files import run_files
from barsync_async.app.options import log_as_told
from barsync_async.app.runner import run_real, run_until_signal
from barsync_async.config import Config


def run_config(config: Config, *, duration_s: float | None = None, loop: str = "uvloop") -> None:
    """Run the daemon that ``config`` describes, as ``barsync run`` does, until SIGTERM or SIGINT,
    or for ``duration_s``; then drain. On feeds of files: on virtual time, from the first bar to the
    last. For the main thread, where no event loop runs; sets up logging as ``config`` says.

    Args:
        config: what :func:`parse_config` gave.
        duration_s: None: until a signal, or until the files end.
        loop: ``"uvloop"`` or ``"asyncio"``, for live feeds.

    Raises:
        ConfigError: a component cannot be made, or a certificate be read, as configured.
        BarsyncError: what broke the run off.
    """
    if all(feed.is_of_files for feed in config.feeds.values()):
        run_files(config, duration_s)
        return
    log_as_told(config)
    run_until_signal(loop, partial(run_real, config, duration_s))
