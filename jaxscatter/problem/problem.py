"""A model bound to data, noise and parameters: what every verb works on."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import DataError, ModelError, ParameterError
from . import amplitudes as amp
from . import density, marginal, passes, sums
from .amplitudes import Amplitude, Arrow, Solution
from .arrange import arranged, as_arrays, pilot_of, placed
from .coordinates import Coordinates
from .dataset import Dataset
from .explicit import explicit_table
from .interface import AbstractProblem, End
from .interface import Normal as Normal
from .likelihood import Gaussian, Likelihood
from .model import AbstractModel
from .parameter import Parameter, ParameterSet, Theta
from .static import Note
from .streamed import StreamedDataset

PRECISIONS = ("double", "mixed")


class Problem(AbstractProblem):
    """Model, data, likelihood and parameters.

    `cost(x)` is ½χ² (of counts half the deviance) with amplitudes at their constrained
    best, plus log terms when the variance has parameters, `normal(x)` its Gauss-Newton
    triple. x is the flat vector
    of free parameters in user units, in declaration order.

    Args:
        model: supplies the columns.
        data: groups of points.
        parameters: changes to the model's table: a `ParameterSet`, or a mapping from
            name to a value or to changed fields.
        likelihood: `Gaussian` noise, of known standard deviations by default, or
            `Poisson` counts.
        explicit: amplitudes as ordinary parameters, with these `Parameter`s by name or
            True for tables made from the declarations.
        chunk: points of every group held at a time; None means all.
        precision: "double", or "mixed": data and model in float32, sums in float64;
            for fits of very many points, see `infer`.
        mesh: devices that share the points, see `js.shard`.
        warnings: sentences every result of this problem repeats.
        linear_mode: how sampling treats the amplitudes; None follows their declaration.

    `data` holds the points as the passes take them: in the model's own order, with
    points of weight 0 among them. `given` are the data as they came, and curves and
    residuals are in their order.

    Raises:
        ParameterError, ModelError, DataError: what does not fit together, by name.
    """

    model: AbstractModel
    data: Any
    likelihood: Likelihood
    parameters: ParameterSet
    coordinates: Coordinates
    linear: tuple[Amplitude, ...]
    pilot: Any
    place: Any
    n_points: int = eqx.field(static=True)
    chunk: int | None = eqx.field(static=True)
    block: int | None = eqx.field(static=True)
    precision: str = eqx.field(static=True)
    mesh: Any = eqx.field(static=True)
    linear_mode: str | None = eqx.field(static=True)
    note: Note = eqx.field(static=True)

    def __init__(
        self,
        model: AbstractModel,
        data: Dataset | StreamedDataset,
        parameters: ParameterSet | Mapping[str, Any] | None = None,
        likelihood: Likelihood | None = None,
        explicit: bool | Mapping[str, Parameter] = False,
        chunk: int | None = None,
        warnings: tuple[str, ...] = (),
        linear_mode: str | None = None,
        precision: str = "double",
        mesh: Any = None,
        _same_points: "Problem | None" = None,
    ):
        if precision not in PRECISIONS:
            raise ModelError(
                f"precision {precision!r} is not known; expected one of {PRECISIONS}"
            )
        likelihood = Gaussian() if likelihood is None else likelihood
        given: Any = data
        said = likelihood.examined(given)
        table = model.parameters
        changes: dict[str, Any] = {}
        if isinstance(parameters, ParameterSet):
            table = parameters
            missing = [n for n in model.parameters.names if n not in table]
            if missing:
                raise ParameterError(
                    f"the model {model.name!r} needs parameters {missing}; there are "
                    f"{list(table.names)}"
                )
        elif parameters is not None:
            changes = dict(parameters)
        extra = likelihood.parameters(given.pilot if given.streamed else given)
        table = table.extended(*(p for p in extra if p.name not in table))
        explicit = True if model.own_amplitudes else explicit
        if explicit and model.amplitudes and not model.own_amplitudes:
            wanted = explicit if isinstance(explicit, Mapping) else {}
            table = table.extended(*explicit_table(model, wanted, table))
        table = _changed(table, changes)
        self.n_points = given.n_given if given.streamed else given.n_points
        if chunk is not None and chunk < 1:
            raise DataError(f"chunk is {chunk}; expected at least one point")
        if _same_points is not None:
            points: Any = _same_points.data
            for name in ("place", "block", "chunk", "pilot"):
                setattr(self, name, getattr(_same_points, name))
        else:
            points, self.place, self.block, self.chunk = arranged(
                model, given, chunk, mesh
            )
            few = None if self.block is None else pilot_of(given)
            if precision == "mixed":
                points = points if points.streamed else points.lowered()
                few = None if few is None else few.lowered()
            points, self.pilot = placed(points, mesh), as_arrays(few)
        self.precision, self.mesh = precision, mesh
        spread = table.spread(points.n_groups)
        self.coordinates = Coordinates(spread, model.sampling_coordinates)
        self.model, self.likelihood = as_arrays(model), likelihood
        self.data, self.parameters = points, as_arrays(spread)
        self.linear = () if explicit else model.amplitudes
        self.linear_mode = linear_mode
        self.note = Note(
            {
                "warnings": tuple(warnings),
                "said": said,
                "chunk": chunk,
                "arguments": (model, given, table, likelihood, explicit),
            }
        )
        if self.linear:
            marginal.check_mode("profile", self.linear, likelihood.kind)
            if linear_mode is not None:
                marginal.check_mode(linear_mode, self.linear, likelihood.kind)

    @property
    def parts(self) -> tuple["Problem", ...]:
        """The problem itself: it has no others."""
        return (self,)

    @property
    def part_names(self) -> tuple[str, ...]:
        """No name: there is nothing to tell apart."""
        return ("",)

    @property
    def amplitude_names(self) -> tuple[dict[str, str], ...]:
        """What each amplitude is called in results."""
        return ({a.name: a.name for a in self.model.amplitudes},)

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.model.name

    def vectors(self, x: Float[Array, " p"]) -> tuple[Array, ...]:
        """The vector as it is."""
        return (x,)

    def part_theta(self, part: int, theta: Theta) -> Theta:
        """The parameters as they are."""
        del part
        return theta

    def each(self, change: Callable[["Problem"], "Problem"]) -> "Problem":
        """The problem, changed."""
        return change(self)

    def explicit_where(self, mode: str) -> tuple["Problem", str]:
        """Copy with explicit amplitudes if `mode` asks for them, and its mode."""
        if mode != "explicit" or not self.linear:
            return self, mode
        return self.with_(explicit=True), "profile"

    def refined(self, theta: Theta) -> "Problem":
        """The problem with a model that is accurate at θ: itself, if it is."""
        model, data, *_ = self.note.content["arguments"]
        finer = model.refined(theta, data)
        if finer is None:
            return self
        said = (*self.note.content["warnings"], finer[1])
        return self.with_(model=finer[0], warnings=said)

    def for_posterior(self) -> "Problem":
        """The problem as samplers take it, see `AbstractModel.for_posterior`."""
        model = self.note.content["arguments"][0]
        other = model.for_posterior()
        return self if other is model else self.with_(model=other)

    def single(self, what: str, instead: str) -> "Problem":
        """The problem itself."""
        del what, instead
        return self

    @property
    def table(self) -> ParameterSet:
        """The parameters with their numbers on the host, local ones per group."""
        return self.note.content["arguments"][2].spread(self.data.n_groups)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences every result of this problem repeats."""
        return (*self.note.content["warnings"], *self.note.content["said"])

    @property
    def layout(self) -> sums.Layout:
        """Where the free parameters lie in x."""
        return sums.layout(self.parameters, self.data.n_groups)

    @property
    def default_linear_mode(self) -> str:
        """How sampling treats the amplitudes unless told otherwise."""
        if self.linear and self.linear_mode is not None:
            return self.linear_mode
        return (
            marginal.default_mode(self.linear, self.likelihood.kind)
            if self.linear
            else "profile"
        )

    def with_(self, **changes: Any) -> "Problem":
        """Copy with other constructor arguments.

        Parameters keep what they were changed to; those that the noise or the explicit
        amplitudes add go with them when these are changed.
        """
        model, data, table, likelihood, explicit = self.note.content["arguments"]
        keep = set(table.names)
        if "likelihood" in changes:
            some = data.pilot if data.streamed else data
            keep -= {p.name for p in likelihood.parameters(some)}
        if explicit and changes.get("explicit", True) is not True:
            keep -= {a.name for a in model.amplitudes}
        wanted = changes.get("model", model).parameters
        kept = [p for p in table if p.name in keep and p.name not in wanted]
        own = [table[p.name] if p.name in table else p for p in wanted]
        now = {
            "model": model,
            "data": data,
            "parameters": ParameterSet(
                [*own, *kept]
                if "model" in changes
                else [p for p in table if p.name in wanted or p.name in keep]
            ),
            "likelihood": likelihood,
            "explicit": explicit,
            "chunk": self.note.content["chunk"],
            "warnings": self.note.content["warnings"],
            "linear_mode": self.linear_mode,
            "precision": self.precision,
            "mesh": self.mesh,
        }
        if not changes.keys() & {"model", "data", "chunk", "precision", "mesh"}:
            now["_same_points"] = self  # nothing that decides how they lie
        if not isinstance(changes.get("parameters"), Mapping):
            return Problem(**{**now, **changes})
        new = Problem(**{**now, **changes, "parameters": now["parameters"]})
        table = new.note.content["arguments"][2]
        now = {**now, **changes, "parameters": _changed(table, changes["parameters"])}
        return Problem(**now)

    def solution(self, x: Float[Array, " p"]) -> Solution:
        """Amplitudes at x within their declared bounds."""
        return passes.profile(self, passes.begin(self, x, tangents=False))

    def amplitudes(self, x: Float[Array, " p"]) -> Float[Array, "g k"]:
        """Amplitudes of each group at x: solved for, or the explicit ones."""
        if self.linear:
            return self.solution(x).per_group(self.linear)
        groups = self.data.n_groups
        if not self.model.amplitudes:
            return jnp.zeros((groups, 0))
        where = self.layout
        return passes.values(self, x[where.at_shared], x[where.at_local])

    def arrow(self, x: Float[Array, " p"]) -> Arrow:
        """G and h of the amplitudes at x."""
        return amp.arrow(self.linear, *passes.begin(self, x, False).gram())

    def noise_scale(self, x: Float[Array, " p"], mode: str) -> tuple[Array, Array]:
        """χ² at the amplitudes of `mode` and the degrees of freedom it leaves."""
        at = passes.begin(self, x, tangents=False)
        arr = amp.arrow(self.linear, *at.gram())
        a = marginal.evaluation_point(mode, self.linear, arr).per_group(self.linear)
        chi2 = jnp.sum(at.misfit(a)[0])
        return chi2, self.data.count - density.count_integrated(self, mode, arr)

    def cost(self, x: Float[Array, " p"]) -> Float[Array, ""]:
        """½χ² at the best amplitudes, plus ½ Σ log(v/σ²) if v has parameters."""
        at = passes.begin(self, x, tangents=False)
        chi2, log_v = at.misfit(passes.profile(self, at).per_group(self.linear))
        return 0.5 * jnp.sum(chi2) + jnp.sum(log_v)

    def end(self, x: Float[Array, " p"]) -> tuple[Normal, tuple[End, ...]]:
        """`normal`, and what results need beside it."""
        at = passes.begin(self, x, tangents=True)
        solution = passes.profile(self, at)
        a = solution.per_group(self.linear)
        t = at.tangents(a, marginal=False)
        where = self.layout
        m = sums.scatter(where, t.m, 2)
        g = sums.scatter(where, t.slope, 1)
        n = sums.spread(where, t.n)
        n = n * solution.free_per_group(self.linear)[:, :, None]
        h = m - _projected(self.linear, solution, n) if self.linear else m
        seen = jnp.diagonal(h) > 1e-12 * jnp.diagonal(m)
        keep = seen.astype(h.dtype)
        cost = 0.5 * jnp.sum(t.chi2) + jnp.sum(t.log_v)
        normal = Normal(h * keep[:, None] * keep[None, :], g * keep, cost, ~seen)
        groups = t.chi2
        if self.likelihood.robust:
            plain = self._copied(likelihood=Gaussian())
            groups = passes.begin(plain, x, tangents=False).misfit(a)[0]
        return normal, (End(solution, n, groups),)

    def residuals(self, x: Float[Array, " p"]) -> Float[Array, " n"]:
        """sqrt(mask/v) (y - μ) of all points, flat: dense, for small problems."""
        at = sums.point(self, x, tangents=False)
        arr = amp.arrow(self.linear, *sums.gram(self, at))
        a = amp.solve(self.linear, arr).per_group(self.linear)
        return jnp.ravel(self._residuals(at, a))

    def _residuals(self, at: sums.Point, a: Array) -> Float[Array, "g n"]:
        prepared = eqx.combine(at.dynamic, at.static)

        def group(y, sigma, mask, coords, fixed, xl, a):
            columns, theta = sums.columns_of(
                self, prepared, at.xs, xl, coords, fixed, y.size
            )
            mu = sums.mean_of(self, columns, theta, coords, a)
            v = self.likelihood.variances(mu, sigma, theta)
            return mask / jnp.sqrt(v) * (y - mu)  # the root of a mask has no slope

        return self._in_given_order(sums.per_point(self, group, at.xl, a))

    def _in_given_order(self, values: Float[Array, "g m"]) -> Float[Array, "g n"]:
        if self.place is None:
            return values[:, : self.n_points]
        return jnp.take(values, self.place, axis=1)

    @property
    def pointwise(self) -> bool:
        """Whether this process can hold one number per point: curves, residuals."""
        if self.data.streamed:
            return False
        return self.mesh is None or not self.mesh.is_multi_process

    @property
    def given(self) -> Any:
        """The data as they came; not inside jit."""
        return self.note.content["arguments"][1]

    def on_pilot(self) -> "Problem":
        """The problem on a few of its points, for references and start values."""
        few = self.pilot
        if few is None:
            few = as_arrays(pilot_of(self.given))
        return self._copied(
            data=few, pilot=few, place=None, chunk=None, block=None, mesh=None
        )

    def without_blocks(self) -> "Problem":
        """The problem with all sums through `columns`, to check a `normal_block`."""
        return self._copied(block=None)

    def _copied(self, **fields: Any) -> "Problem":
        new = object.__new__(Problem)
        for f in dataclasses.fields(self):
            value = fields.get(f.name, getattr(self, f.name))
            object.__setattr__(new, f.name, value)
        return new

    def jacobian(
        self, x: Float[Array, " p"], full_varpro: bool = False
    ) -> Float[Array, "n p"]:
        """∂(whitened model)/∂x with amplitudes projected out: dense.

        Kaufman's form by default, the derivative of the projected residual with
        `full_varpro`.
        """
        if full_varpro or not self.linear:
            return -jax.jacfwd(self.residuals)(x)
        a = self.amplitudes(x)

        def fixed(x: Array) -> Array:
            return -jnp.ravel(self._residuals(sums.point(self, x, tangents=False), a))

        j = jax.jacfwd(fixed)(x)
        columns = self._weighted_columns(x)
        q, _ = jnp.linalg.qr(columns)
        return j - q @ (q.T @ j)

    def _weighted_columns(self, x: Float[Array, " p"]) -> Float[Array, "n m"]:
        """sqrt(W) A of the free amplitudes as one matrix, for `jacobian`."""
        solution = self.solution(x)
        free = np.asarray(solution.free_per_group(self.linear)) > 0
        groups, k = free.shape
        zero = self._residuals(
            sums.point(self, x, tangents=False), jnp.zeros((groups, k))
        )
        out = []
        for i, a in enumerate(self.linear):
            unit = jnp.zeros((groups, k)).at[:, i].set(1.0)
            column = zero - self._residuals(sums.point(self, x, tangents=False), unit)
            if a.shared:
                if free[0, i]:
                    out.append(jnp.ravel(column))
                continue
            for g in np.flatnonzero(free[:, i]):
                out.append(jnp.ravel(jnp.zeros_like(column).at[g].set(column[g])))
        return jnp.stack(out, axis=1) if out else jnp.zeros((zero.size, 0))

    def predict(
        self, x: Float[Array, " p"], a: Float[Array, "g k"] | None = None
    ) -> Float[Array, "g n"]:
        """Model curves of all groups at x, with the best amplitudes or with `a`."""
        a = self.amplitudes(x) if a is None else a
        at = sums.point(self, x, tangents=False)
        prepared = eqx.combine(at.dynamic, at.static)

        def group(y, sigma, mask, coords, fixed, xl, a):
            del sigma, mask
            columns, theta = sums.columns_of(
                self, prepared, at.xs, xl, coords, fixed, y.size
            )
            return sums.mean_of(self, columns, theta, coords, a)

        return self._in_given_order(sums.per_point(self, group, at.xl, a))

    def loglike(self, x: Float[Array, " p"], linear: str | None = None) -> Any:
        """Log L at x with amplitudes treated as `linear` (see `marginal`).

        Its gradient comes from the same sums as the fit's, in forward mode.
        """
        mode = linear or "profile"
        self.check_mode(mode)
        return density.loglike(x, problem=self, mode=self.modes(mode)[0])


def _changed(table: ParameterSet, changes: Mapping[str, Any]) -> ParameterSet:
    try:
        return table.with_(**changes)
    except TypeError as error:
        raise ParameterError(str(error)) from None


def _projected(
    amplitudes: tuple[Amplitude, ...], solution: Solution, n: Float[Array, "g k p"]
) -> Float[Array, "p p"]:
    """Nᵀ G⁻¹ N over the whole arrow."""
    s, el = amp.split(amplitudes)
    n_s, n_l = jnp.sum(n[:, s], axis=0), n[:, el]
    x_s, x_l = amp.solve_arrow(solution.reduced, solution.schur, n_s, n_l)
    return n_s.T @ x_s + jnp.einsum("gkp,gkq->pq", n_l, x_l)
