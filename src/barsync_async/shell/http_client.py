"""REST requests, by the ``httpx`` library. TLS is verified; a proxy is used only where one is
named.
"""

import ssl
from types import TracebackType
from typing import Self

import httpx

from barsync_async.errors import ConnectionRefused
from barsync_async.venues.history.exchange import HistoryRequest, HistoryResponse

MAX_BODY_BYTES = 16 * 1024 * 1024
_TIMEOUT_S = 10.0


class HttpxClient:
    """One pool of connections; plays the role of :class:`~barsync_async.ports.HttpClient`.

    Args:
        tls: what certificates are trusted.
        proxy: ``http://HOST:PORT``, or None for none.
    """

    def __init__(self, tls: ssl.SSLContext, proxy: str | None = None) -> None:
        self._client = httpx.AsyncClient(
            verify=tls, proxy=proxy, timeout=_TIMEOUT_S, trust_env=False, follow_redirects=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    async def get(self, feed: str, request: HistoryRequest) -> HistoryResponse:
        """The answer to ``request``, whatever its status. Safe to cancel.

        Raises:
            ConnectionRefused: there is none, or it is too long.
        """
        try:
            async with self._client.stream(
                "GET", request.url, params=dict(request.params), headers=dict(request.headers)
            ) as response:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_BODY_BYTES:
                        detail = f"{request.url} sends more than {MAX_BODY_BYTES} bytes"
                        raise ConnectionRefused(feed, detail)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            # ValueError: a header that cannot be sent; its text is not shown, it may be a key.
            why = type(error).__name__ if type(error) is ValueError else str(error)
            detail = f"cannot get {request.url}: {why or type(error).__name__}"
            raise ConnectionRefused(feed, detail) from None
        headers = {name.lower(): value for name, value in response.headers.items()}
        return HistoryResponse(response.status_code, headers, bytes(body))
