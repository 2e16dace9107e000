"""What a simulated fill costs beyond the close."""

import math

import msgspec

_BPS = 10_000.0


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """The same for every symbol; 0 where not given.

    Args:
        commission_bps: of the value traded, in hundredths of a per cent.
        commission_per_unit: in the currency of the closes.
        slippage_bps: by how much a buyer pays more, and a seller gets less, than the close.

    Raises:
        ValueError: one of them is no finite number of at least 0.
    """

    commission_bps: float = 0.0
    commission_per_unit: float = 0.0
    slippage_bps: float = 0.0

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f"{name} = {value!r}: expected a number of at least 0")
        if self.slippage_bps >= _BPS:
            raise ValueError(f"slippage_bps = {self.slippage_bps!r}: expected less than {_BPS:g}")

    def of(self, units: float, close: float) -> float:
        """What it costs to buy ``units``, or below 0 to sell them, where the close is ``close``.

        At least 0. Bought at the close alone, nothing would be lost; so this is what a fill takes
        from the equity.
        """
        slippage = abs(units * close) * self.slippage_bps / _BPS
        paid = units * close + slippage  # below 0: received, by a seller or at a close below 0
        commission = abs(paid) * self.commission_bps / _BPS + abs(units) * self.commission_per_unit
        return slippage + commission
