"""A prior to a power, p(x)^c, as consensus Monte Carlo gives each of its shards.

It is not normalised: a constant in a log density moves no sampler and no fit.
"""

from typing import Any

from numpyro.distributions import Distribution, constraints


class Tempered(Distribution):
    """Distribution proportional to another one's density to a power.

    A normal prior to the power c is the normal with its variance divided by c; on a
    truncated normal, a half-normal or a uniform one the same holds inside the support.

    Args:
        base: numpyro distribution of one number.
        power: c > 0.
    """

    pytree_data_fields = ("base", "power")

    def __init__(self, base: Any, power: Any, *, validate_args: bool | None = None):
        self.base, self.power = base, power
        super().__init__(
            batch_shape=base.batch_shape,
            event_shape=base.event_shape,
            validate_args=validate_args,
        )

    @constraints.dependent_property
    def support(self) -> Any:
        """Where the density is not 0."""
        return self.base.support

    def log_prob(self, value: Any) -> Any:
        """C log p(value), without the constant that normalises it."""
        return self.power * self.base.log_prob(value)

    @property
    def mean(self) -> Any:
        """Mean of the distribution before the power."""
        return self.base.mean

    @property
    def variance(self) -> Any:
        """Variance before the power divided by c: exact for a normal."""
        return self.base.variance / self.power
