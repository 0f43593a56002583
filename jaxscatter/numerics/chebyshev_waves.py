"""Waves ψ(t) = exp(2πi t H) e₀ of many matrices that share all but their diagonal.

H_τ = S_τ (U + iW) S_τ + diag(d_τ) for many τ: U and W are Hermitian and common, S_τ and
d_τ are diagonal and real. With X = (H - b)/a on [-1, 1] and z = 2π t a,

    ψ(t) = exp(2πi t b) Σ_k (2 - δ_k0) i^k J_k(z) T_k(X) e₀,
    T_{k+1} = 2X T_k - T_{k-1},

so that one term costs one matrix product with U for all τ at once. Where U is real and
W absent, all T_k(X) e₀ are real: even terms make Re ψ, odd ones Im ψ, up to the phase
of b. An anti-Hermitian part, centred on half its spectrum, makes T_k grow; the way is
then cut into segments so short that nothing is lost. Levels far from the others may
act at second order: U + iW then stands for U + iW - B diag(v_τ) B', applied as two
thin products.

Lengths and reciprocal lengths in any units whose product is 1.

References:
    [1] H. Tal-Ezer and R. Kosloff, J. Chem. Phys. 81, 3967 (1984).
"""

import functools
import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Complex, Float, Shaped

GROWTH = 1.5
"""Most of 2π ‖anti-Hermitian rest‖ per segment: errors below 1e-9 (measured)."""
_MARGIN = 1.05
_BLOCK = 16  # terms between checkpoints of the reverse pass, and summed in one product


class SecondOrder(eqx.Module):
    """What w far levels add: -B diag(v_τ) B'."""

    bridge: Shaped[ArrayLike, "n w"]
    """B, from far levels to near ones."""
    back: Shaped[ArrayLike, "w n"]
    """B', from near levels to far ones; Bᴴ where nothing is absorbed."""
    weights: Float[ArrayLike, "tilts w"]
    """v_τ"""


class Plan(eqx.Module):
    """Numbers fixed before compilation: terms, segments, and what they are good for.

    Args:
        half_range: a, half the spectrum X is scaled by.
        length: longest t of one segment.
        terms: of the expansion, a multiple of 16.
        segments: the way is cut into.
        real: U real and W absent.
        absorptive: W present.
    """

    half_range: Float[ArrayLike, ""]
    length: Float[ArrayLike, ""]
    terms: int = eqx.field(static=True)
    segments: int = eqx.field(static=True, default=1)
    real: bool = eqx.field(static=True, default=False)
    absorptive: bool = eqx.field(static=True, default=False)

    @property
    def longest(self) -> Float[ArrayLike, ""]:
        """Largest t that can be reached."""
        return self.length * self.segments


def _terms(z: float) -> int:
    """Terms after which J_k(z) is below 1e-16."""
    needed = z + 10.0 * max(z, 1.0) ** (1 / 3) + 30
    return _BLOCK * math.ceil(needed / _BLOCK)


def waves_plan(
    u: ArrayLike,
    w: ArrayLike | None,
    scale: ArrayLike,
    diagonal: ArrayLike,
    longest: float | int,
    margin: float | int = _MARGIN,
    growth: float | int = GROWTH,
    far: SecondOrder | None = None,
) -> Plan:
    """Terms and segments enough for given matrices; on the host, real numbers only.

    Args:
        u: (n, n), Hermitian part.
        w: (n, n), the Hermitian matrix of the absorption, or None.
        scale: (tilts, n).
        diagonal: (tilts, n).
        longest: largest t.
        margin: factor on the spectra, for parameters that will move.
        growth: most of 2π ‖anti-Hermitian rest‖ per segment.
        far: levels that act at second order.
    """
    u, w, scale, diagonal, far = jax.tree.map(np.asarray, (u, w, scale, diagonal, far))
    bounds = _bounds(u, w, scale, diagonal, far, np)
    half = max(float(margin * bounds.half), 1e-12)
    segments, real = 1, not np.iscomplexobj(u) and w is None
    if w is not None:
        q = 2 * math.pi * margin * float(bounds.half_loss) * float(longest)
        segments = max(1, math.ceil(q / growth))
    length = float(longest) / segments
    return Plan(
        half_range=np.asarray(half),
        length=np.asarray(max(length, 1e-12)),
        terms=_terms(2 * math.pi * half * length),
        segments=segments,
        real=real,
        absorptive=w is not None,
    )


class _Bounds(NamedTuple):
    """Where the spectra of all H_τ lie."""

    centre: Any  # (tilts,) of the Hermitian part
    half: Any  # its largest half width
    loss: Any  # centre of the anti-Hermitian part
    half_loss: Any


def _bounds(u, w, scale, diagonal, far, xp):
    """Bounds on the Hermitian and the anti-Hermitian part, by NumPy or in jit."""
    largest = xp.max(xp.square(scale))
    low, high = _ends(xp.linalg.eigvalsh(u), largest, xp)
    top, bottom = xp.max(diagonal, axis=1), xp.min(diagonal, axis=1)
    second = second_loss = 0.0
    if far is not None:
        hermitian = 0.5 * (far.bridge + xp.conj(far.back.T))
        rest = 0.5 * (far.bridge - xp.conj(far.back.T))
        strongest = largest * xp.max(xp.abs(far.weights))
        size, size_rest = _norm(hermitian, xp), _norm(rest, xp)
        second = strongest * (size**2 + size_rest**2)
        second_loss = 2 * strongest * size * size_rest
    loss = half_loss = 0.0
    if w is not None:
        lowest, highest = _ends(xp.linalg.eigvalsh(w), largest, xp)
        loss = 0.5 * (lowest + highest)
        half_loss = 0.5 * (highest - lowest) + second_loss
    return _Bounds(
        0.5 * (top + bottom) + 0.5 * (low + high),
        0.5 * xp.max(top - bottom) + 0.5 * (high - low) + second,
        loss,
        half_loss,
    )


def _ends(eigenvalues, largest, xp):
    """Smallest and largest eigenvalue of S A S for all S with S² <= largest."""
    return (
        largest * xp.minimum(eigenvalues[0], 0.0),
        largest * xp.maximum(eigenvalues[-1], 0.0),
    )


def _norm(matrix, xp):
    """Largest singular value."""
    square = matrix @ xp.conj(matrix.T)
    return xp.sqrt(xp.maximum(xp.linalg.eigvalsh(square)[-1], 0.0))


def chebyshev_waves(
    u: Shaped[Array, "n n"],
    w: Shaped[Array, "n n"] | None,
    scale: Float[Array, "tilts n"],
    diagonal: Float[Array, "tilts n"],
    t: Float[Array, " times"],
    plan: Plan,
    entrance: int = 0,
    rows: tuple[int, ...] | None = None,
    far: SecondOrder | None = None,
) -> Complex[Array, "tilts times out"]:
    """ψ_τ(t) = exp(2πi t H_τ) e₀ at the given rows.

    NaN where the spectrum or t exceeds what `plan` was made for, or U is not as real as
    it says. Forward and reverse
    derivatives are exact in all arrays; the reverse pass holds one block of terms per
    segment.

    Args:
        u: Hermitian part of the common matrix, real or complex.
        w: Hermitian matrix of the anti-Hermitian part i w, or None.
        scale: S_τ.
        diagonal: d_τ.
        t: from 0 to `plan.longest`.
        plan: from `waves_plan`.
        entrance: index of e₀.
        rows: which components are wanted; all by default.
        far: levels that act at second order.
    """
    n = u.shape[0]
    kept = jnp.arange(n) if rows is None else jnp.asarray(rows)
    a = jnp.asarray(plan.half_range, scale.dtype)
    halt = jax.lax.stop_gradient
    bounds = _bounds(*halt((u, w, scale, diagonal, far)), jnp)
    inside = bounds.half <= a * (1 + 1e-9)
    if w is not None:
        inside = inside & (
            2 * math.pi * bounds.half_loss * plan.length <= 1.2 * GROWTH * _MARGIN
        )
    if plan.real and jnp.iscomplexobj(u):
        imaginary = jnp.max(jnp.abs(halt(u).imag))
        inside = inside & (imaginary <= 1e-9 * jnp.max(jnp.abs(halt(u).real)))
    centre, loss = bounds.centre, bounds.loss
    step = _Step(plan, u, w, scale, diagonal - centre[:, None], a, loss, far)
    start = jnp.zeros((diagonal.shape[0], n * step.parts), scale.dtype)
    start = start.at[:, entrance].set(1.0)
    length = jnp.asarray(plan.length, t.dtype)
    segment = jnp.clip(jnp.floor(halt(t) / length).astype(int), 0, plan.segments - 1)
    rest = t - segment * length
    if plan.segments == 1:
        psi = step.expand(start, rest, kept)
    else:
        psi = _cut(plan, step, start, rest, segment, kept)
    phase = jnp.exp((2 * math.pi) * t[None, :] * (1j * centre[:, None] - loss))
    valid = inside & (halt(t) >= 0) & (halt(t) <= plan.longest * (1 + 1e-9))
    return jnp.where(valid[None, :, None], psi * phase[:, :, None], jnp.nan)


def _cut(plan, step, start, rest, segment, kept):
    """ψ over several segments; every t is read off in the one it lies in."""
    whole = jnp.arange(start.shape[1] // step.parts)
    length = jnp.asarray(plan.length, rest.dtype)[None]

    @jax.checkpoint
    def one(state, number):
        here = segment == number
        times = jnp.where(here, rest, 0.0)
        end = step.expand(state, jnp.concatenate([times, length]), whole)
        out = jnp.where(here[None, :, None], end[:, :-1][:, :, kept], 0.0)
        return jnp.concatenate([end[:, -1].real, end[:, -1].imag], axis=1), out

    _, parts = jax.lax.scan(one, start, jnp.arange(plan.segments))
    return jnp.sum(parts, axis=0)


class _Step:
    """X P for all τ at once, and the expansion made of it.

    P is real; where ψ is not, its imaginary part stands behind its real one. One real
    matrix product is several times faster than a complex one (measured).
    """

    def __init__(self, plan, u, w, scale, diagonal, a, loss, far):
        self.plan, self.a, self.loss = plan, a, loss
        self.parts = 1 if plan.real else 2
        self.absorptive = w is not None
        self.matrix = self._real(u if w is None else u + 1j * w)
        self.far = far
        if far is not None:
            self.bridge, self.back = self._real(far.bridge), self._real(far.back)
            self.weights = jnp.tile(far.weights, (1, self.parts))
        self.scale = jnp.tile(scale, (1, self.parts))
        self.diagonal = jnp.tile(diagonal, (1, self.parts))

    def _real(self, m):
        """What a row of real and imaginary parts is multiplied with, for m ψ."""
        re, im = jnp.real(m).T, jnp.imag(m).T
        return re if self.plan.real else jnp.block([[re, im], [-im, re]])

    def __call__(self, p):
        """X p."""
        scaled = self.scale * p
        moved = jnp.matmul(scaled, self.matrix)
        if self.far is not None:
            beyond = self.weights * jnp.matmul(scaled, self.back)
            moved = moved - jnp.matmul(beyond, self.bridge)
        moved = self.scale * moved + self.diagonal * p
        if self.absorptive:
            # i·loss is taken out of the spectrum, so that it lies about zero
            re, im = jnp.split(p, 2, axis=1)
            moved = moved + self.loss * jnp.concatenate([im, -re], axis=1)
        return moved / self.a

    def expand(self, start, t, kept):
        """Σ_k c_k(t) T_k(X) start, (tilts, times, kept)."""
        plan = self.plan
        c = coefficients(t, self.a, plan.terms)
        blocks = c.reshape(plan.terms // _BLOCK, _BLOCK, t.size)
        n = start.shape[1] // self.parts
        columns = kept if plan.real else jnp.concatenate([kept, kept + n])

        @jax.checkpoint
        def block(carry, c):
            before, now, even, odd = carry
            terms = []
            for _ in range(_BLOCK):
                terms.append(now[:, columns])
                before, now = now, 2 * self(now) - before
            even = even + jnp.einsum("bt,bpn->ptn", c[0::2].real, jnp.stack(terms[::2]))
            odd = odd + jnp.einsum("bt,bpn->ptn", c[1::2].imag, jnp.stack(terms[1::2]))
            return (before, now, even, odd), None

        zero = jnp.zeros((start.shape[0], t.size, columns.size), start.dtype)
        # T_{-1} = T_1: the first step then gives T_1 = X T_0
        carry = (self(start), start, zero, zero)
        (_, _, even, odd), _ = jax.lax.scan(block, carry, blocks)
        if plan.real:
            return even + 1j * odd
        even_re, even_im = jnp.split(even, 2, axis=2)
        odd_re, odd_im = jnp.split(odd, 2, axis=2)
        return (even_re - odd_im) + 1j * (even_im + odd_re)


def coefficients(
    t: Float[Array, " times"], half_range: Float[Array, ""], terms: int
) -> Complex[Array, "terms times"]:
    """c_k = (2 - δ_k0) i^k J_k(2π t a), of exp(iz cos θ) = Σ c_k cos kθ.

    By a fast Fourier transform over 2·terms angles: differentiable in t, and without
    aliasing as long as J_k vanishes beyond `terms`.
    """
    angles = jnp.asarray(np.cos(np.pi * np.arange(2 * terms) / terms), t.dtype)
    z = 2 * math.pi * half_range * t
    wave = jnp.exp(1j * z[None, :] * angles[:, None])
    c = jnp.fft.fft(wave, axis=0)[:terms] / (2 * terms)
    # t = 0 gives e₀ exactly, with the derivative untouched
    first = jnp.equal(jnp.arange(terms), 0)[:, None]
    c = c + jax.lax.stop_gradient(jnp.where(jnp.equal(t, 0)[None, :], first - c, 0.0))
    twice = jnp.where(jnp.arange(terms) == 0, 1.0, 2.0)
    return c * twice[:, None]


@functools.partial(jax.jit, static_argnames=("entrance", "rows", "tile"))
def tiled_waves(
    u: Shaped[Array, "n n"],
    w: Shaped[Array, "n n"] | None,
    scale: Float[Array, "tilts n"],
    diagonal: Float[Array, "tilts n"],
    t: Float[Array, " times"],
    plan: Plan,
    entrance: int = 0,
    rows: tuple[int, ...] | None = None,
    tile: int = 256,
    far: SecondOrder | None = None,
) -> Complex[Array, "tilts times out"]:
    """`chebyshev_waves` tile by tile of the tilts, at bounded memory."""
    n_tilts = scale.shape[0]
    if n_tilts <= tile:
        return chebyshev_waves(u, w, scale, diagonal, t, plan, entrance, rows, far)
    tiles = -(-n_tilts // tile)
    # the last tile repeats the last tilt
    index = jnp.minimum(jnp.arange(tiles * tile), n_tilts - 1).reshape(tiles, tile)

    def one(here):
        beyond = far
        if far is not None:
            beyond = SecondOrder(far.bridge, far.back, jnp.asarray(far.weights)[here])
        return chebyshev_waves(
            u, w, scale[here], diagonal[here], t, plan, entrance, rows, beyond
        )

    out = jax.lax.map(one, index)
    return out.reshape(tiles * tile, *out.shape[2:])[:n_tilts]
