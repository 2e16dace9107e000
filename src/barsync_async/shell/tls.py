"""Whom a feed trusts. Verification can be given another authority; it cannot be turned off."""

import ssl
from pathlib import Path

from barsync_async.errors import ConfigError, Mistake


def tls_context(ca_file: Path | None, origin: str, key: str) -> ssl.SSLContext:
    """Trusts the system's authorities; with ``ca_file``, those in it and no others.

    ``origin`` and ``key`` name the file's place in the config in errors.

    Raises:
        ConfigError: ``ca_file`` cannot be read, or holds no certificate.
    """
    try:
        return ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        why = error.strerror if isinstance(error, FileNotFoundError | PermissionError) else None
        expected = f"cannot be used: {why or 'it holds no certificate in PEM form'}"
        raise ConfigError(origin, [Mistake(key, repr(str(ca_file)), expected)]) from None
