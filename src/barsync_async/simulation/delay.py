"""How long after its close a bar is sent: four distributions, each as its quantile function.

One uniform number gives one delay, so a change of distribution leaves every other draw as it was.
"""

import math
from statistics import NormalDist
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

MAX_DELAY_MS = 600_000

Delay = Annotated[float, Field(ge=0, le=MAX_DELAY_MS, allow_inf_nan=False)]
Scale = Annotated[float, Field(gt=0, le=MAX_DELAY_MS, allow_inf_nan=False)]
Spread = Annotated[float, Field(ge=0, le=5, allow_inf_nan=False)]

_SMALLEST = 1e-12
_normal = NormalDist()


class _Delay(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ConstantDelay(_Delay):
    """Always ``ms``."""

    kind: Literal["constant"]
    ms: Delay

    def quantile(self, u: float) -> float:
        """The delay in ms below which a share ``u`` in [0, 1) of all delays lies."""
        del u
        return self.ms


class UniformDelay(_Delay):
    """Anything between ``min_ms`` and ``max_ms``, all equally likely."""

    kind: Literal["uniform"]
    min_ms: Delay = 0.0
    max_ms: Delay

    @field_validator("max_ms")
    @classmethod
    def _not_below_min(cls, value: float, info: ValidationInfo) -> float:
        if value < info.data.get("min_ms", 0.0):
            raise ValueError("expected at least min_ms")
        return value

    def quantile(self, u: float) -> float:
        """The delay in ms below which a share ``u`` in [0, 1) of all delays lies."""
        return self.min_ms + u * (self.max_ms - self.min_ms)


class ExponentialDelay(_Delay):
    """Mostly short, ``mean_ms`` on average before the cut at ``max_ms``."""

    kind: Literal["exponential"]
    mean_ms: Scale
    max_ms: Delay = MAX_DELAY_MS

    def quantile(self, u: float) -> float:
        """The delay in ms below which a share ``u`` in [0, 1) of all delays lies."""
        return min(-self.mean_ms * math.log1p(-u), self.max_ms)


class LognormalDelay(_Delay):
    """Half below ``median_ms``, with a long tail; the logarithm's deviation is ``sigma``."""

    kind: Literal["lognormal"]
    median_ms: Scale
    sigma: Spread
    max_ms: Delay = MAX_DELAY_MS

    def quantile(self, u: float) -> float:
        """The delay in ms below which a share ``u`` in [0, 1) of all delays lies."""
        deviation = _normal.inv_cdf(max(u, _SMALLEST))
        return min(self.median_ms * math.exp(self.sigma * deviation), self.max_ms)


DELAY_KINDS = ("constant", "uniform", "exponential", "lognormal")

DelayModel = Annotated[
    ConstantDelay | UniformDelay | ExponentialDelay | LognormalDelay, Field(discriminator="kind")
]
