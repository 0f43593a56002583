"""SAS figures of images: masks, axes, the scale of colours."""

import numpy as np
import pytest

from jaxscatter import plot
from jaxscatter.errors import DataError
from jaxscatter.io import Image
from jaxscatter.sas import from_curve

X, Y = np.linspace(-0.1, 0.1, 11), np.linspace(-0.06, 0.06, 7)
RNG = np.random.default_rng(5)


def image(qx=None, qy=None):
    if qx is None:
        qx, qy = np.meshgrid(X, Y)
    fit = 1 / (1 + (30 * qx) ** 2 + (60 * qy) ** 2)
    return fit, from_curve(
        Image(
            qx,
            qy,
            fit + 0.01 * RNG.normal(size=fit.shape),
            0.01 * np.ones(fit.shape),
            mask=np.hypot(qx, qy) > 0.015,
        )
    )


def fitted(made, fit, data):
    record = {
        "y": np.asarray(data.y),
        "sigma": np.asarray(data.sigma),
        "mask": np.asarray(data.mask) > 0,
        "fit": fit.reshape(1, -1),
        "coords": {k: np.asarray(v) for k, v in data.coords.items()},
        "dims": dict(data.dims),
        "units": dict(data.units),
        "metadata": dict(data.metadata),
    }
    return made.fit_result([record])


def shown(ax):
    return np.ma.filled(ax.collections[0].get_array(), np.nan)


def test_images_have_data_fit_and_scaled_residuals(made, tmp_path):
    fit, data = image()
    result = fitted(made, fit, data)
    path = tmp_path / "image.png"
    fig = result.plot(path=path)
    assert made.is_png(path)
    axes, bars = fig.axes[:3], fig.axes[3:]
    keep = np.asarray(data.mask)[0].reshape(7, 11) > 0
    y = np.asarray(data.y)[0].reshape(7, 11)
    expected = y, fit, (y - fit) / 0.01
    names = "data", "fit", "residual"
    for ax, values, name in zip(axes, expected, names, strict=True):
        np.testing.assert_allclose(shown(ax), np.where(keep, values, np.nan))
        assert ax.get_title() == name and ax.get_xlabel() == "Qx [1/Å]"
    assert axes[0].get_ylabel() == "Qy [1/Å]"
    assert [b.get_xlabel() for b in bars] == ["I [1/cm]", "residual [σ]"]
    assert axes[0].collections[0].norm is axes[1].collections[0].norm
    low, high = axes[2].collections[0].get_clim()
    assert low == -high and high >= 3.0
    assert result.plot(view="pattern").axes[2].get_title() == "residual"


def test_masked_points_without_coordinates_do_not_bend_the_axes():
    _, data = image()
    middle = np.asarray(data.coords["qx"])[np.asarray(data.mask)[0] == 0]
    assert middle.size > 0 and np.all(middle == 0)
    (ax, _) = plot.plot_sas_pattern(data).axes
    corners = ax.collections[0].get_coordinates()
    step = X[1] - X[0]
    np.testing.assert_allclose(corners[0, :, 0], np.append(X, X[-1] + step) - step / 2)
    step = Y[1] - Y[0]
    np.testing.assert_allclose(corners[:, 0, 1], np.append(Y, Y[-1] + step) - step / 2)


def test_points_without_rows_and_columns_are_dots():
    turned = np.linspace(0, 2 * np.pi, 20)
    qx = np.stack([0.05 * np.cos(turned), 0.1 * np.cos(turned)])
    qy = np.stack([0.05 * np.sin(turned), 0.1 * np.sin(turned)])
    _, data = image(qx, qy)
    (ax, _) = plot.plot_sas_pattern(data).axes
    np.testing.assert_allclose(
        np.asarray(ax.collections[0].get_offsets()),
        np.stack([qx, qy], -1).reshape(-1, 2),
    )


def test_a_mesh_that_is_not_rectangular_keeps_its_points():
    qx, qy = np.meshgrid(X, Y)
    qx, qy = qx + 0.2 * qy + 0.01, qy + 0.1 * qx + 0.3
    _, data = image(qx, qy)
    (ax, _) = plot.plot_sas_pattern(data).axes
    corners = ax.collections[0].get_coordinates()
    middle = 0.25 * (
        corners[1:, 1:] + corners[:-1, 1:] + corners[1:, :-1] + corners[:-1, :-1]
    )
    np.testing.assert_allclose(middle[1:-1, 1:-1, 0], qx[1:-1, 1:-1], atol=1e-12)


def test_an_image_without_intensity_is_refused(made):
    fit, data = image()
    result = fitted(made, fit, data)
    result.data[0]["y"] = -np.ones_like(result.data[0]["y"])
    with pytest.raises(DataError, match="no positive intensity"):
        result.plot()
