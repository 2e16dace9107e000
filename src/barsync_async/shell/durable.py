"""Files that outlast a crash of the machine."""

import errno
import os
from typing import BinaryIO


def make_durable(file: BinaryIO) -> None:
    """Have ``file`` written to its device, where it is of a kind that can be: a pipe is not.

    Raises:
        OSError: it could not be written.
    """
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
