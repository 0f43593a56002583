"""How well a simulated pattern agrees with a measured one.

    χ² = Σ w (c Iᵗ + b_d - Iˣ)²,    w = 1/σ²

The scale c and the backgrounds, one b or one b_d per disk, minimise χ² and are found
in closed form; derivatives go through them. A fit solves them itself, as the linear
amplitudes of its model: this module evaluates, reports, and serves as a bare cost.

    metric                        variance σ²                     background
    Chi2                          |Iˣ|, 1 where Iˣ = 0            one
    Chi2_const                    of the detector at Iˣ           one
    Chi2_multibackground          of the detector at Iˣ           one per disk
    Chi2_LARBED                   a map, or Iˣ                    one
    Chi2_LARBED_multibackground   a map, or Iˣ                    one per disk
    XCorrelation                  1 - Pearson's r: no variance, no background

Arrays of a pattern have any shape; where disks matter the first axis counts them. A
mask is true where a pixel is used; what lies under a false one, NaN included, has no
effect on values and derivatives. An image without contrast has no scale: c = 0.

Units: intensities in counts, variances in their square.

References:
    [1] J. M. Zuo, Microsc. Res. Tech. 49, 245 (2000), the detector's variance.
    [2] G. H. Golub and V. Pereyra, SIAM J. Numer. Anal. 10, 413 (1973), elimination of
        linear parameters.
"""

import abc
import dataclasses
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool, Float

from .._types import Floats, Scalar, as_float
from ..errors import DataError, ModelError
from ..numerics._dtype import common_float
from .detector import Detector
from .similarity import Mask, compared, ratio, zncc


def _require(name: str, value: Array, used: Array, positive: bool) -> None:
    """Refuse used pixels of data that can't be; traced values pass unseen."""
    if isinstance(value, Tracer) or isinstance(used, Tracer):
        return
    values = np.asarray(value)
    bad = np.asarray(used) & ~(np.isfinite(values) & ((values > 0) | (not positive)))
    if np.any(bad):
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        raise DataError(
            f"{name} is {values[at]} at {at}; expected "
            f"{'positive' if positive else 'finite'} numbers, or a mask there"
        )


def _weighted(
    sim: Floats, exp: Floats, variance: Floats, mask: Mask
) -> tuple[Array, Array, Array]:
    """Both images and 1/σ², all zero where they aren't used."""
    t, x, used = compared(sim, exp, mask)
    variance = jnp.asarray(variance, x.dtype)
    if variance.shape != x.shape:
        raise DataError(
            f"variance has shape {variance.shape}, exp {x.shape}; expected the same"
        )
    _require("exp", x, used, positive=False)
    _require("variance", variance, used, positive=True)
    w = jnp.where(used, 1 / jnp.where(used, variance, 1.0), 0.0)
    return t, x, w


def _profiled(
    t: Array, x: Array, w: Array, per_disk: bool, background: bool
) -> tuple[Float[Array, ""], Float[Array, "..."]]:
    """Scale and background, or backgrounds, of images and their weights."""
    if per_disk and t.ndim < 1:
        raise DataError("exp is one number; expected disks on the first axis")
    rows = (t.shape[0] if per_disk else 1, -1)
    t, x, w = t.reshape(rows), x.reshape(rows), w.reshape(rows)
    total = jnp.sum(w * t * t)
    if background:
        # means first: S₁ S_tt - S_t² itself loses half the digits of a weak contrast
        weight = jnp.sum(w, axis=1)
        t_mean = ratio(jnp.sum(w * t, axis=1), weight, 0.0)
        x_mean = ratio(jnp.sum(w * x, axis=1), weight, 0.0)
        dt, dx = t - t_mean[:, None], x - x_mean[:, None]
        least = jnp.finfo(t.dtype).eps * total
        c = ratio(jnp.sum(w * dt * dx), jnp.sum(w * dt * dt), least)
        b = x_mean - c * t_mean
    else:
        c = ratio(jnp.sum(w * t * x), total, 0.0)
        b = jnp.zeros(t.shape[0], t.dtype)
    return c, b if per_disk else b[0]


def scale_background(
    sim: Floats,
    exp: Floats,
    variance: Floats,
    mask: Mask = None,
    background: bool = True,
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """The c and b that minimise Σ w (c Iᵗ + b - Iˣ)², one pair for all pixels.

    c = 0 and b the mean of the experiment where the weighted variance of the
    simulation is below the rounding error of its square. Without a background b = 0.
    """
    return _profiled(*_weighted(sim, exp, variance, mask), False, background)


def scale_backgrounds(
    sim: Floats,
    exp: Floats,
    variance: Floats,
    mask: Mask = None,
    background: bool = True,
) -> tuple[Float[Array, ""], Float[Array, " disk"]]:
    """The c and b_d that minimise Σ_d Σ w (c Iᵗ + b_d - Iˣ)², disks on the first axis.

    A disk without a used pixel has b_d = 0 and no part in c.
    """
    return _profiled(*_weighted(sim, exp, variance, mask), True, background)


def _applied(t: Array, c: Array, b: Array) -> Float[Array, "..."]:
    """The sum c t + b, with backgrounds along the first axis if there are several."""
    return c * t + b.reshape(b.shape + (1,) * ((t.ndim - 1) * b.ndim))


class BaseGOF(abc.ABC):
    """A cost of one's own: a subclass with `__call__(sim, exp, mask=None)`, a number.

    It must be a function of JAX arrays, smaller for better agreement. A subclass need
    not be an `eqx.Module`; then it is compiled in as a constant.
    """

    least_squares: ClassVar[bool] = False
    """Whether it is a sum of squared residuals, which has errors and can be sampled."""

    @abc.abstractmethod
    def __call__(self, sim: Floats, exp: Floats, mask: Mask = None) -> Scalar:
        """The cost of a simulation beside an experiment of the same shape."""


class AbstractChi2(BaseGOF, eqx.Module):
    """Weighted squares after the best scale and background."""

    least_squares: ClassVar[bool] = True
    per_disk: ClassVar[bool]
    """Whether each disk has a background of its own."""
    background: eqx.AbstractVar[bool]

    @abc.abstractmethod
    def variance(self, exp: Floats) -> Float[Array, "..."]:
        """Variance σ² of each pixel of an experiment."""

    def _weighted(
        self, sim: Floats, exp: Floats, mask: Mask
    ) -> tuple[Array, Array, Array]:
        # pixels that aren't used must not reach a formula that they could spoil
        _, clean, _ = compared(sim, exp, mask)
        return _weighted(sim, exp, self.variance(clean), mask)

    def scaling(
        self, sim: Floats, exp: Floats, mask: Mask = None
    ) -> tuple[Float[Array, ""], Float[Array, "..."]]:
        """The best scale, and the best background or backgrounds."""
        t, x, w = self._weighted(sim, exp, mask)
        return _profiled(t, x, w, self.per_disk, self.background)

    def scaled(
        self, sim: Floats, exp: Floats, mask: Mask = None
    ) -> Float[Array, "..."]:
        """The simulation on the experiment's scale, c Iᵗ + b."""
        (t,) = common_float(sim)
        return _applied(t, *self.scaling(sim, exp, mask))

    def __call__(self, sim: Floats, exp: Floats, mask: Mask = None) -> Float[Array, ""]:
        """χ², not divided by anything."""
        t, x, w = self._weighted(sim, exp, mask)
        c, b = _profiled(t, x, w, self.per_disk, self.background)
        return jnp.sum(w * jnp.square(_applied(t, c, b) - x))


class Chi2(AbstractChi2):
    """Poisson variance |Iˣ|, one background."""

    per_disk: ClassVar[bool] = False
    background: bool = eqx.field(static=True, default=True)

    def variance(self, exp: Floats) -> Float[Array, "..."]:
        """The counts, or 1 where there are none."""
        (exp,) = common_float(exp)
        return jnp.where(exp == 0, 1.0, jnp.abs(exp))


class Chi2_const(AbstractChi2):
    """The detector's variance, one background."""

    per_disk: ClassVar[bool] = False
    detector: Detector
    model: str = eqx.field(static=True, default="pyextal")
    background: bool = eqx.field(static=True, default=True)

    def variance(self, exp: Floats) -> Float[Array, "..."]:
        """The detector's, at the measured counts."""
        return self.detector.variance(exp, self.model)


class Chi2_multibackground(AbstractChi2):
    """The detector's variance, a background for each disk."""

    per_disk: ClassVar[bool] = True
    detector: Detector
    model: str = eqx.field(static=True, default="pyextal")
    background: bool = eqx.field(static=True, default=True)

    def variance(self, exp: Floats) -> Float[Array, "..."]:
        """The detector's, at the measured counts."""
        return self.detector.variance(exp, self.model)


class Chi2_LARBED(AbstractChi2):
    """A map of variances (the experiment itself by default), one background."""

    per_disk: ClassVar[bool] = False
    variances: Float[Array, "..."] | None = eqx.field(
        default=None, converter=lambda v: None if v is None else as_float(v)
    )
    background: bool = eqx.field(static=True, default=True)

    def variance(self, exp: Floats) -> Float[Array, "..."]:
        """The map, or the measured counts if none was given."""
        return common_float(exp)[0] if self.variances is None else self.variances


class Chi2_LARBED_multibackground(AbstractChi2):
    """A map of variances (the experiment itself by default), backgrounds by disk."""

    per_disk: ClassVar[bool] = True
    variances: Float[Array, "..."] | None = eqx.field(
        default=None, converter=lambda v: None if v is None else as_float(v)
    )
    background: bool = eqx.field(static=True, default=True)

    def variance(self, exp: Floats) -> Float[Array, "..."]:
        """The map, or the measured counts if none was given."""
        return common_float(exp)[0] if self.variances is None else self.variances


class XCorrelation(BaseGOF, eqx.Module):
    """The correlation distance 1 - r of all used pixels; 1 if either is constant."""

    def __call__(self, sim: Floats, exp: Floats, mask: Mask = None) -> Float[Array, ""]:
        """1 - r."""
        return 1 - zncc(sim, exp, mask)


METRICS: dict[str, type[BaseGOF]] = {
    kind.__name__: kind
    for kind in (
        XCorrelation,
        Chi2,
        Chi2_const,
        Chi2_multibackground,
        Chi2_LARBED,
        Chi2_LARBED_multibackground,
    )
}


def metric(name: str | BaseGOF, **options: Any) -> BaseGOF:
    """A metric by its name in any case, or the metric itself.

    Args:
        name: as in the module's table, or an object of one's own.
        options: fields of the class: detector, model, variances, background.

    Raises:
        ModelError: no such name, or no such option.
    """
    if isinstance(name, BaseGOF):
        if options:
            raise ModelError(
                f"options {sorted(options)} were given with a metric that is built"
            )
        return name
    known = {key.lower(): kind for key, kind in METRICS.items()}
    if name.lower() not in known:
        raise ModelError(f"metric is {name!r}; expected one of {list(METRICS)}")
    kind = known[name.lower()]
    fields = dataclasses.fields(kind)  # pyright: ignore[reportArgumentType]
    names = [field.name for field in fields]
    needed = [f.name for f in fields if f.default is dataclasses.MISSING]
    wrong = [key for key in options if key not in names]
    missing = [key for key in needed if key not in options]
    if wrong or missing:
        raise ModelError(
            f"options of {kind.__name__} are {sorted(options)}; expected some of "
            f"{names}, among them {needed}"
        )
    return kind(**options)


def degrees_of_freedom(
    mask: Bool[ArrayLike, "..."], n_parameters: int, compat_dof: bool = False
) -> int:
    """Number of used pixels less that of the fitted parameters.

    Args:
        mask: true where a pixel is used.
        n_parameters: structure factors, geometry, probe and shifts; whether scale and
            backgrounds count is the caller's choice.
        compat_dof: count pixels under the mask too, as older programs do.

    Raises:
        DataError: nothing is left.
    """
    used = np.asarray(mask)
    n = used.size if compat_dof else int(np.count_nonzero(used))
    if n - n_parameters <= 0:
        raise DataError(
            f"degrees of freedom are {n} pixels - {n_parameters} parameters; expected "
            "more pixels than parameters"
        )
    return n - n_parameters


def gof(
    chi2: Scalar,
    mask: Bool[ArrayLike, "..."],
    n_parameters: int,
    compat_dof: bool = False,
) -> Float[Array, ""]:
    """Goodness of fit χ²/dof; see `degrees_of_freedom`."""
    return as_float(chi2) / degrees_of_freedom(mask, n_parameters, compat_dof)
