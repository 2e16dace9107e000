"""The portfolio, pure: decisions in, versions out, by one writer."""

from barsync_async.portfolio.barrier import Barrier
from barsync_async.portfolio.book import Book
from barsync_async.portfolio.costs import Costs
from barsync_async.portfolio.limits import Limits
from barsync_async.portfolio.roster import Roster

__all__ = ["Barrier", "Book", "Costs", "Limits", "Roster"]
