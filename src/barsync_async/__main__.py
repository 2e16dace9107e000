"""``python -m barsync_async`` is ``barsync``."""

from barsync_async.app.cli import main

if __name__ == "__main__":
    main(prog_name="barsync")
