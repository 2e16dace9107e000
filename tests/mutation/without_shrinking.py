"""A pytest plugin: hypothesis stops at the first failure, and keeps no examples."""

from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "mutation",
    phases=(Phase.explicit, Phase.generate),
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
