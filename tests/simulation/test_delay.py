"""Delays are quantile functions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barsync_async.simulation.delay import (
    ConstantDelay,
    DelayModel,
    ExponentialDelay,
    LognormalDelay,
    UniformDelay,
)

MODELS: list[DelayModel] = [
    ConstantDelay(kind="constant", ms=5),
    UniformDelay(kind="uniform", min_ms=10, max_ms=30),
    ExponentialDelay(kind="exponential", mean_ms=20, max_ms=500),
    LognormalDelay(kind="lognormal", median_ms=25, sigma=0.75, max_ms=500),
]
shares = st.floats(min_value=0, max_value=1, exclude_max=True)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.kind)
@given(a=shares, b=shares)
def test_a_quantile_never_falls_and_stays_in_bounds(model: DelayModel, a: float, b: float) -> None:
    low, high = sorted((a, b))
    assert 0 <= model.quantile(low) <= model.quantile(high) <= 500


def test_the_parameters_mean_what_they_say() -> None:
    _, uniform, exponential, lognormal = MODELS
    assert uniform.quantile(0.5) == 20
    assert exponential.quantile(1 - 1 / 2.718281828) == pytest.approx(20)
    assert lognormal.quantile(0.5) == pytest.approx(25)
    assert 1 - 0.04 < sum(lognormal.quantile(i / 1000) < 100 for i in range(1000)) / 1000 < 0.98
