"""What a synchronizer counted, as an immutable record."""

from collections.abc import Mapping

import msgspec


class Statistics(msgspec.Struct, frozen=True, kw_only=True):
    """The counts since the start.

    ``received == accepted + corrected + duplicate + late + rejected``, always. ``rejected_by``
    and ``skips_by`` count by reason, ``sets_by`` by status. ``crowded`` counts the slots sealed
    early because more than ``max_open`` were open.
    """

    received: int
    accepted: int
    corrected: int
    duplicate: int
    late: int
    rejected: int
    rejected_by: Mapping[str, int]
    sets_by: Mapping[str, int]
    skips_by: Mapping[str, int]
    crowded: int
    open_slots: int
