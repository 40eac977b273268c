"""The tests: a mirror of `zbtwist`, and `tests.system` for the real programs."""

from hypothesis import HealthCheck, settings

# The same examples on every run, and no judgement on how fast a busy machine is.
settings.register_profile(
    "zbtwist",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("zbtwist")
