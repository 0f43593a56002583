"""Point spread of the probe in LARBED images, refined as a width σ and a tail γ.

    "radial_voigt"  Re w((r + iγ)/(σ√2))/(σ√2π) at the pixels -10 … 10 about the centre,
                    r their distance, divided by its sum
    "fourier"       exp(-2π²σ²q² - 2πγ|q|) on the image's transform, q in cycles/pixel:
                    the true convolution with a Gaussian of standard deviation σ and a
                    two-dimensional Lorentzian γ/(2π (r² + γ²)^(3/2))

The first is the profile in use, a function of the radius whose sections are Voigt; it
is not the convolution of its limits. In both γ → 0 leaves a Gaussian, σ → 0 a
Lorentzian (the first: γ/(π(r² + γ²)), normalised) and both a delta: no blur. The first
reads σ below 10⁻³ pixel as 10⁻³, where nothing but the central pixel is left of a
Gaussian. A negative γ counts as none.

Units: σ, γ and positions in pixels.

References:
    [1] NIST Digital Library of Mathematical Functions, 7.19 (Voigt functions).
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._types import Scalar
from ..errors import ModelError
from ..numerics import voigt
from ..numerics._dtype import common_float

KINDS = ("radial_voigt", "fourier")
HALF_WIDTH = 10
"""Pixels of the radial kernel on either side of its centre."""
SIGMA_FLOOR = 1e-3


def _without_negative(gamma: Float[Array, ""]) -> Float[Array, ""]:
    """The tail, with its right-hand derivative kept at γ = 0."""
    return jnp.where(gamma < 0, 0.0, gamma)


def voigt_kernel(sigma: Scalar, gamma: Scalar) -> Float[Array, "21 21"]:
    """Radial Voigt profile on 21 x 21 pixels, of sum 1."""
    sigma, gamma = common_float(sigma, gamma)
    offsets = np.arange(-HALF_WIDTH, HALF_WIDTH + 1)
    radius = np.hypot(offsets[:, None], offsets[None, :])
    values = voigt(
        jnp.asarray(radius, sigma.dtype),
        jnp.where(sigma < SIGMA_FLOOR, SIGMA_FLOOR, sigma),
        _without_negative(gamma),
    )
    return values / jnp.sum(values)


def transfer_function(
    shape: tuple[int, int], sigma: Scalar, gamma: Scalar, kind: str = "radial_voigt"
) -> Float[Array, "h half"]:
    """Factors on `jnp.fft.rfft2` of an image of `shape`, real as the spread is even.

    Computed once, they serve every image of a stack.
    """
    if kind not in KINDS:
        raise ModelError(f"kind is {kind!r}; expected one of {list(KINDS)}")
    sigma, gamma = common_float(sigma, gamma)
    rows, cols = np.fft.fftfreq(shape[0]), np.fft.rfftfreq(shape[1])
    if kind == "fourier":
        # q is a constant, so that |q| = 0 is no kink of anything differentiated
        q = jnp.asarray(np.hypot(rows[:, None], cols[None, :]), sigma.dtype)
        gauss = 2 * jnp.square(jnp.pi * sigma * q)
        return jnp.exp(-gauss - 2 * jnp.pi * _without_negative(gamma) * q)
    offsets = np.arange(-HALF_WIDTH, HALF_WIDTH + 1)
    left = jnp.asarray(np.cos(2 * np.pi * rows[:, None] * offsets), sigma.dtype)
    right = jnp.asarray(np.cos(2 * np.pi * offsets[:, None] * cols), sigma.dtype)
    return left @ voigt_kernel(sigma, gamma) @ right


def blurred(
    image: Float[Array, "h w"], transfer: Float[Array, "h half"]
) -> Float[Array, "h w"]:
    """The periodic convolution of an image, by factors from `transfer_function`."""
    return jnp.fft.irfft2(jnp.fft.rfft2(image) * transfer, image.shape)


def cropped(image: Float[Array, "h w"], padding: int) -> Float[Array, "..."]:
    """The image without `padding` pixels on each side."""
    h, w = image.shape
    return image[padding : h - padding, padding : w - padding]


def convolved(
    image: Float[Array, "h w"],
    sigma: Scalar,
    gamma: Scalar,
    kind: str = "radial_voigt",
    padding: int = HALF_WIDTH,
) -> Float[Array, "..."]:
    """A padded image after the point spread, cropped to what it knows.

    The radial kernel reaches 10 pixels, so that what is left is exact. The other one
    has no end: what it carries further than `padding` pixels enters from the opposite
    edge.

    Args:
        image: simulated intensity with `padding` pixels more on each side than the
            data.
        sigma: Gaussian width σ.
        gamma: Lorentzian half width γ.
        kind: "radial_voigt" or "fourier".
        padding: pixels to crop; at least 10 for "radial_voigt".

    Raises:
        ModelError: padding too small for the kernel or too large for the image.
    """
    least = HALF_WIDTH if kind == "radial_voigt" else 0
    if padding < least:
        raise ModelError(f"padding is {padding}; {kind!r} needs at least {least}")
    if 2 * padding >= min(image.shape):
        raise ModelError(
            f"image has shape {image.shape}; padding {padding} leaves nothing of it"
        )
    h, w = image.shape
    factors = transfer_function((h, w), sigma, gamma, kind)
    return cropped(blurred(image, factors), padding)
