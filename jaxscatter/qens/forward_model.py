"""A model of S(Q, ω): its lines, its parameter table, and how models compose.

A model is a sum of Lorentzians, S(Q, ω) = Σ wᵢ(Q) L(ω; Γᵢ(Q)): `components(q, theta)`
returns weights and half widths (HWHM, meV), a width of 0 being the elastic line. What
is not a sum of Lorentzians (a phonon) is its `continuum(omega, q, theta)`.

    a * b      independent motions: every line of one with every line of the other,
               weights multiplied and widths added
    a + b      two kinds of scatterers: fraction · a + (1 - fraction) · b

A parameter that both have is one parameter; `renamed` keeps two apart.

Units: q in 1/Å, omega and widths in meV.

References:
    [1] M. Bée, Quasielastic Neutron Scattering, Adam Hilger (1988), chapter 2.
"""

import dataclasses
import difflib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..errors import ModelError, ParameterError
from ..problem import Parameter, ParameterSet
from .broadening import spectrum
from .resolution import resolution

Components = tuple[Float[Array, " n"], Float[Array, " n"]]
Numbers = ArrayLike | Sequence[float]


@dataclasses.dataclass(frozen=True, eq=False)
class ForwardModel:
    """A model of S(Q, ω) of one Q, convolved, without amplitude and background.

    Args:
        name: in the registry and in results.
        param_names: in the order of `params`.
        prior_lo, prior_hi: open box of the uniform prior.
        predict: `predict(omega, q, params, sigma_res, **extras) -> S`, in jax.numpy
            unless `jax=False`. `sigma_res` is what `predict_sqw` takes.
        extras: keyword defaults such as radius and lmax.
        components: `components(q, theta, **extras) -> (weights, widths)`; with it
            `predict` may be None.
        continuum: `continuum(omega, q, theta, **extras) -> S` in 1/meV, the part that
            is not a sum of Lorentzians; sampled on the resolution's grid, so it must
            not be narrower than a step of that.
        constants: `constants(q, **extras) -> (m,)`, what `components` needs of q alone,
            computed once per Q and handed to it as its keyword `constants`.
        factor: whether it is a function of Q alone (one line of width 0).
        start: start values; default the middle of the prior.
        units: per parameter.
        docs: one line per parameter, by name.
        jax: False for a NumPy `predict`: derivatives by differences, no NUTS.
        doc: one line.
        needs: settings that have to be given, as no default suits every sample.
    """

    name: str
    param_names: tuple[str, ...]
    prior_lo: tuple[float, ...]
    prior_hi: tuple[float, ...]
    predict: Callable[..., Any] | None
    extras: Mapping[str, Any] | None = None
    _: dataclasses.KW_ONLY
    components: Callable[..., Any] | None = None
    continuum: Callable[..., Any] | None = None
    constants: Callable[..., Any] | None = None
    factor: bool = False
    start: tuple[float, ...] | None = None
    units: tuple[str, ...] | None = None
    docs: Mapping[str, str] | None = None
    jax: bool = True
    doc: str = ""
    needs: tuple[str, ...] = ()

    def __post_init__(self):
        for field in ("param_names", "prior_lo", "prior_hi"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        object.__setattr__(self, "extras", dict(self.extras or {}))
        object.__setattr__(self, "docs", dict(self.docs or {}))
        sizes = {len(self.param_names), len(self.prior_lo), len(self.prior_hi)}
        if len(sizes) > 1:
            raise ParameterError(
                f"model {self.name!r} has {len(self.param_names)} names, "
                f"{len(self.prior_lo)} lower and {len(self.prior_hi)} upper bounds"
            )
        for n, lo, hi in zip(
            self.param_names, self.prior_lo, self.prior_hi, strict=True
        ):
            if not lo < hi:
                raise ParameterError(
                    f"model {self.name!r}: prior of {n!r} is ({lo}, {hi}); expected "
                    "lo < hi"
                )
        if self.predict is None:
            if self.components is None:
                raise ParameterError(
                    f"model {self.name!r} needs `predict` or `components`"
                )
            object.__setattr__(self, "predict", self._from_components)

    def _from_components(
        self, omega: Any, q: Any, params: Any, sigma_res: Any, **extras: Any
    ) -> Float[Array, " n"]:
        assert self.components is not None
        how = {
            k: extras.pop(k, default)
            for k, default in (
                ("mode", "exact"),
                ("temperature", None),
                ("detailed_balance", "bose"),
            )
        }
        if len(params) != self.n_params:
            self.checked(params)  # which says what is wrong
        theta = dict(zip(self.param_names, params, strict=True))
        settings = self.settled(extras)
        lines = self.components(q, theta, **settings)
        continuum = self.continuum_at(q, theta, settings)
        instrument = resolution(omega, sigma_res, how.pop("mode"))
        return spectrum(instrument, *lines, continuum=continuum, **how)

    def settled(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """All settings: those given, and defaults.

        Raises:
            TypeError: a setting it does not have.
            ParameterError: one that has to be given is not.
        """
        known = dict(self.extras or {})
        for name in given:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise TypeError(
                    f"model {self.name!r} has no setting {name!r}; there are "
                    f"{sorted(known)}{hint}"
                )
        for name in self.needs:
            if name not in given:
                raise ParameterError(
                    f"model {self.name!r} needs {name}= of the scatterer (in Å where "
                    f"it is a radius), for example {name}={known[name]}"
                )
        return {**known, **given}

    def continuum_at(
        self, q: Any, theta: Mapping[str, Any], settings: Mapping[str, Any]
    ) -> Callable[[Array], Array] | None:
        """The continuum of one Q as a function of ω; None where there is none."""
        if self.continuum is None:
            return None
        return functools.partial(_of_omega, self.continuum, q, theta, settings)

    @property
    def n_params(self) -> int:
        """Number of parameters."""
        return len(self.param_names)

    def checked(self, params: Numbers) -> np.ndarray:
        """Parameters as an array of the right length.

        Raises:
            ParameterError: another length.
        """
        p = np.asarray(params, dtype=float)
        if p.shape != (self.n_params,):
            raise ParameterError(
                f"params of {self.name!r} have shape {p.shape}; expected "
                f"({self.n_params},) for {list(self.param_names)}"
            )
        return p

    def in_prior(self, p: Numbers) -> bool:
        """Whether every parameter lies strictly inside its prior box."""
        x = self.checked(p)
        return bool(np.all((x > self.prior_lo) & (x < self.prior_hi)))

    def random_in_prior(self, rng: np.random.Generator) -> np.ndarray:
        """One uniform draw from the prior box."""
        return rng.uniform(self.prior_lo, self.prior_hi)

    def parameters(self) -> ParameterSet:
        """Parameter table with units, bounds and start values."""
        docs = self.docs or {}
        return ParameterSet(
            Parameter(n, v, u, (lo, hi), doc=docs.get(n, ""))
            for n, (lo, hi, v, u) in self._table().items()
        )

    def _table(self) -> dict[str, tuple[float, float, float, str]]:
        """(lo, hi, start, unit) by name."""
        middle = 0.5 * (np.array(self.prior_lo) + np.array(self.prior_hi))
        start = middle.tolist() if self.start is None else self.start
        units = self.units or ("",) * self.n_params
        rows = zip(self.prior_lo, self.prior_hi, start, units, strict=True)
        return dict(zip(self.param_names, rows, strict=True))

    def renamed(self, **names: str) -> "ForwardModel":
        """The same model with other names: `renamed(D_translation="D_slow")`.

        Parameters and settings (extras) can be renamed.

        Raises:
            ParameterError: a name it does not have, or one that is taken.
        """
        return _renamed(self, tuple(sorted(names.items())))

    def __mul__(self, other: "ForwardModel") -> "ForwardModel":
        """Independent motions of one scatterer: a convolution in ω."""
        if not isinstance(other, ForwardModel):
            return NotImplemented
        return _product(self, other)

    def __add__(self, other: "ForwardModel") -> "ForwardModel":
        """Fraction · self + (1 - fraction) · other, an incoherent sum."""
        if not isinstance(other, ForwardModel):
            return NotImplemented
        return _sum(self, other)


def _of_omega(function: Any, q: Any, theta: Any, settings: Any, omega: Array) -> Array:
    return function(omega, q, theta, **settings)


def _own(model: ForwardModel, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the settings that are the model's."""
    return {k: settings[k] for k in model.extras or {} if k in settings}


def _lines(
    parts: Sequence[ForwardModel],
    q: Any,
    theta: Mapping[str, Any],
    settings: Mapping[str, Any],
    constants: Any,
) -> list[Components]:
    """Lines of each part, each with its own share of the constants."""
    out, at = [], 0
    for part in parts:
        own = _own(part, settings)
        if constants is not None and part.constants is not None:
            of_q = functools.partial(part.constants, **own)
            size = jax.eval_shape(of_q, q).shape[0]
            own["constants"] = constants[at : at + size]
            at += size
        assert part.components is not None
        out.append(part.components(q, theta, **own))
    return out


def _joined_constants(parts: Sequence[ForwardModel]) -> Callable | None:
    with_constants = [p for p in parts if p.constants is not None]
    if not with_constants:
        return None

    def constants(q: Any, **settings: Any) -> Float[Array, " m"]:
        made = [p.constants(q, **_own(p, settings)) for p in with_constants]  # type: ignore[misc]
        return jnp.concatenate(made)

    return constants


def _merged(
    a: ForwardModel, b: ForwardModel, fraction: str | None = None
) -> dict[str, Any]:
    """Names, bounds, start values, units, docs and settings of two models as one."""
    for part in (a, b):
        if part.components is None:
            raise ModelError(
                f"model {part.name!r} is a `predict` function; only models given by "
                "their `components` compose"
            )
    one, two = a._table(), b._table()
    for name in set(one) & set(two):
        if one[name][3] != two[name][3]:
            raise ParameterError(
                f"{a.name!r} has {name!r} in {one[name][3]!r} and {b.name!r} in "
                f"{two[name][3]!r}; rename one: model.renamed({name}=...)"
            )
        if name.startswith("fraction"):
            raise ParameterError(
                f"{a.name!r} and {b.name!r} both have {name!r}, of two different sums; "
                f"rename one: model.renamed({name}=...)"
            )
    settings, other = dict(a.extras or {}), dict(b.extras or {})
    for name in set(settings) & set(other):
        if settings[name] != other[name]:
            raise ParameterError(
                f"{a.name!r} has the setting {name!r} = {settings[name]} and "
                f"{b.name!r} {other[name]}; rename one: model.renamed({name}=...)"
            )
    settings |= other
    table = {**two, **one}
    order = [*one, *(n for n in two if n not in one)]
    clash = set(order) & set(settings)
    if clash:
        name = sorted(clash)[0]
        raise ParameterError(
            f"{name!r} is a parameter in one of {a.name!r}, {b.name!r} and a setting "
            f"in the other; rename one: model.renamed({name}=...)"
        )
    if fraction is not None:
        order.append(fraction)
        table[fraction] = (0.0, 1.0, 0.5, "")
    lo, hi, start, units = zip(*(table[n] for n in order), strict=True)
    docs = {**(b.docs or {}), **(a.docs or {})}
    if fraction is not None:
        docs[fraction] = f"share of {a.name}, the rest is {b.name}"
    return {
        "param_names": tuple(order),
        "prior_lo": lo,
        "prior_hi": hi,
        "predict": None,
        "extras": settings,
        "start": start,
        "units": units,
        "docs": docs,
        "needs": (*a.needs, *(n for n in b.needs if n not in a.needs)),
        "constants": _joined_constants((a, b)),
    }


def _bracketed(model: ForwardModel) -> str:
    return f"({model.name})" if "+" in model.name else model.name


@functools.lru_cache(maxsize=256)
def _product(a: ForwardModel, b: ForwardModel) -> ForwardModel:
    """Cached, so that one composition made twice compiles once."""
    if a is b:
        raise ModelError(
            f"{a.name!r} is multiplied by itself, so its parameters would count twice; "
            "rename what should differ: model * model.renamed(...)"
        )
    table = _merged(a, b)
    continuum = _continuum_of_product(a, b)

    def components(
        q: Any, theta: Mapping[str, Any], constants: Any = None, **settings: Any
    ) -> Components:
        (wa, ga), (wb, gb) = _lines((a, b), q, theta, settings, constants)
        weights, widths = wa[:, None] * wb[None, :], ga[:, None] + gb[None, :]
        return jnp.ravel(weights), jnp.ravel(widths)

    return ForwardModel(
        f"{_bracketed(a)} * {_bracketed(b)}",
        **table,
        components=components,
        continuum=continuum,
        factor=a.factor and b.factor,
        doc="independent motions of one scatterer",
    )


def _continuum_of_product(a: ForwardModel, b: ForwardModel) -> Callable | None:
    if a.continuum is None and b.continuum is None:
        return None
    whole, factor = (a, b) if a.continuum is not None else (b, a)
    if not factor.factor or whole.continuum is None:
        raise ModelError(
            f"{whole.name!r} has a part that is no sum of Lorentzians, so it can be "
            f"multiplied by a function of Q alone (debye_waller), not by "
            f"{factor.name!r}; add it to the product instead"
        )

    def continuum(
        omega: Any, q: Any, theta: Mapping[str, Any], **settings: Any
    ) -> Array:
        ((weights, _),) = _lines((factor,), q, theta, settings, None)
        assert whole.continuum is not None
        shape = whole.continuum(omega, q, theta, **_own(whole, settings))
        return jnp.sum(weights) * shape

    return continuum


@functools.lru_cache(maxsize=256)
def _sum(a: ForwardModel, b: ForwardModel) -> ForwardModel:
    if a is b:
        raise ModelError(
            f"{a.name!r} is added to itself, which changes nothing; rename what should "
            "differ: model + model.renamed(...)"
        )
    taken = {*a.param_names, *b.param_names}
    fraction = next(
        n
        for n in ("fraction", *(f"fraction_{i}" for i in range(2, 99)))
        if n not in taken
    )
    table = _merged(a, b, fraction)

    def components(
        q: Any, theta: Mapping[str, Any], constants: Any = None, **settings: Any
    ) -> Components:
        (wa, ga), (wb, gb) = _lines((a, b), q, theta, settings, constants)
        share = theta[fraction]
        weights = jnp.concatenate([share * wa, (1 - share) * wb])
        return weights, jnp.concatenate([ga, gb])

    def continuum(
        omega: Any, q: Any, theta: Mapping[str, Any], **settings: Any
    ) -> Array:
        total, share = jnp.zeros_like(omega), theta[fraction]
        for part, weight in ((a, share), (b, 1 - share)):
            if part.continuum is not None:
                own = part.continuum(omega, q, theta, **_own(part, settings))
                total = total + weight * own
        return total

    none = a.continuum is None and b.continuum is None
    return ForwardModel(
        f"{a.name} + {b.name}",
        **table,
        components=components,
        continuum=None if none else continuum,
        doc="incoherent sum of two kinds of scatterers",
    )


@functools.lru_cache(maxsize=256)
def _renamed(model: ForwardModel, names: tuple[tuple[str, str], ...]) -> ForwardModel:
    new = dict(names)
    known = [*model.param_names, *(model.extras or {})]
    for old in new:
        if old not in known:
            near = difflib.get_close_matches(old, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ParameterError(
                f"model {model.name!r} has no {old!r} to rename; there are "
                f"{known}{hint}"
            )
    after = [new.get(n, n) for n in known]
    twice = {n for n in after if after.count(n) > 1}
    if twice:
        raise ParameterError(
            f"model {model.name!r} would have {sorted(twice)} twice after renaming"
        )
    back = {new.get(n, n): n for n in known}

    def own(theta: Mapping[str, Any]) -> dict[str, Any]:
        return {back[n]: v for n, v in theta.items() if n in back}

    def wrapped(function: Callable | None, at: int) -> Callable | None:
        """`function` with theta (its argument number `at`, or none) under old names."""
        if function is None:
            return None

        def call(*args: Any, constants: Any = None, **settings: Any) -> Any:
            args = tuple(own(a) if i == at else a for i, a in enumerate(args))
            passed = {} if constants is None else {"constants": constants}
            return function(*args, **own(settings), **passed)

        return call

    if model.components is None:
        predict: Any = model.predict

        def called(omega: Any, q: Any, params: Any, sigma: Any, **settings: Any) -> Any:
            return predict(omega, q, params, sigma, **own(settings))

    return dataclasses.replace(
        model,
        name=f"{model.name}[{', '.join(new.values())}]",
        param_names=tuple(new.get(n, n) for n in model.param_names),
        predict=called if model.components is None else None,
        extras={new.get(k, k): v for k, v in (model.extras or {}).items()},
        needs=tuple(new.get(n, n) for n in model.needs),
        components=wrapped(model.components, 1),
        continuum=wrapped(model.continuum, 2),
        constants=wrapped(model.constants, -1),
        docs={new.get(k, k): v for k, v in (model.docs or {}).items()},
    )
