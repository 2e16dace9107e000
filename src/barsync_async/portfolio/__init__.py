"""The portfolio, pure: decisions in, versions out, by one writer."""

from barsync_async.portfolio.barrier import Barrier
from barsync_async.portfolio.book import Book

__all__ = ["Barrier", "Book"]
