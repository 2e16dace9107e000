"""Settings, logging and the commands."""

import os

# A set's matrices are small. With a thread for each core, NumPy's library waits for a core that
# others use: on a busy machine its products were seen to take ten times as long. It looks once,
# when it is loaded; whoever sets the number keeps it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
