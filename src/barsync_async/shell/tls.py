"""Whom a feed trusts, and how it leaves the house. Verification can be given another authority; it
cannot be turned off.
"""

import ssl
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import msgspec

from barsync_async.errors import ConfigError, Mistake


class Route(msgspec.Struct, frozen=True):
    """``tls`` is None for the system's authorities, ``proxy`` for none."""

    tls: ssl.SSLContext | None = None
    proxy: str | None = None

    def context(self) -> ssl.SSLContext:
        """What a connection is verified by."""
        return self.tls or ssl.create_default_context()


DIRECT = Route()
NO_ROUTES: Mapping[str, Route] = MappingProxyType({})
"""Every feed goes out directly and trusts the system's authorities."""


def trusting(ca_file: Path, origin: str, key: str) -> ssl.SSLContext:
    """Trusts the authorities in ``ca_file``, in PEM form, and no others.

    ``origin`` and ``key`` name the file's place in the config in errors.

    Raises:
        ConfigError: it cannot be read, or holds no certificate.
    """
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        why = None if isinstance(error, ssl.SSLError | ValueError) else error.strerror
        expected = f"cannot be used: {why or 'it holds no certificate in PEM form'}"
        raise ConfigError(origin, [Mistake(key, repr(str(ca_file)), expected)]) from None


def why_not_trusted(error: BaseException) -> str | None:
    """What is wrong with the other side's certificate, where ``error`` says so."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    return None
