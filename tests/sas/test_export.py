"""NXcanSAS files of data and fits: what was measured comes back with the same bits."""

import h5py
import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import examples
from jaxscatter.errors import DataError

Q = np.geomspace(0.005, 0.3, 40)


def simulated(**changes):
    how = {"radius": 40.0, "relative": 0.02, "absolute": 1e-3, "seed": 1}
    return js.sas.simulate("sphere", **{"q": Q, **how, **changes})


def read(path):
    """Curves or images by their place in the file."""
    return {d.name: d for d in js.io.read_sas(path)}


@pytest.fixture(scope="module")
def best():
    return js.fit(js.sas.problem(simulated(), "sphere", radius=42.0), warn=False)


def test_measured_data_come_back_with_the_same_bits(tmp_path):
    data = js.sas.load(examples.sas_sds().path, q_range=(0.02, 0.2))
    path = js.sas.save(data, tmp_path / "a.h5")
    (curve,) = js.io.read_sas(path)
    np.testing.assert_array_equal(curve.q, data.coords["q"])
    seen = np.asarray(data.mask[0]) > 0
    np.testing.assert_array_equal(curve.mask, seen)
    np.testing.assert_array_equal(curve.intensity[seen], data.y[0][seen])
    np.testing.assert_array_equal(curve.sigma[seen], data.sigma[0][seen])
    assert (curve.title, curve.run) == ("2% SDS in D2O_SANS", "83584")
    assert curve.metadata["instrument"] == "LOQ"


@pytest.mark.parametrize(
    "resolution",
    [{"dq": 0.05 * Q}, {"q_length": 0.117}, {"q_length": 0.1, "q_width": 1e-3}],
)
def test_the_resolution_is_written_and_read_back(tmp_path, resolution):
    data = simulated(**resolution)
    again = js.sas.load(js.sas.save(data, tmp_path / "a.h5"))
    assert again.metadata["resolution"] == data.metadata["resolution"]
    np.testing.assert_array_equal(again.coords["smear"], data.coords["smear"])


def test_a_fit_is_the_second_data_set_of_its_entry(tmp_path, best):
    (curve,) = best.predict()
    for name, given in {
        "of_result": (best, None),
        "of_data": (simulated(), best),
        "of_array": (simulated(), curve),
    }.items():
        path = tmp_path / f"{name}.h5"
        js.sas.save(given[0], path, given[1])
        found = read(path)
        measured, fit = (found[f"sasentry01/{n}"] for n in ("sasdata01", "fit01"))
        np.testing.assert_array_equal(fit.q, Q)
        np.testing.assert_allclose(fit.intensity, curve, rtol=1e-13)
        np.testing.assert_array_equal(measured.intensity, simulated().y[0])
        with h5py.File(path) as file:
            assert set(file["sasentry01"]) >= {"sasdata01", "fit01"}


def test_a_loaded_result_is_enough(tmp_path, best):
    best.save(tmp_path / "fit.h5")
    loaded = js.load_result(tmp_path / "fit.h5")
    js.sas.save(loaded, tmp_path / "a.h5")
    found = read(tmp_path / "a.h5")
    measured, fit = (found[f"sasentry01/{n}"] for n in ("sasdata01", "fit01"))
    np.testing.assert_allclose(fit.intensity, best.predict()[0], rtol=1e-13)
    np.testing.assert_array_equal(measured.sigma, simulated().sigma[0])


@pytest.mark.slow
def test_every_part_of_a_joint_fit_is_an_entry(tmp_path):
    one, two = simulated(), simulated(seed=2, q_length=0.1)
    how = {"radius": 41.0}
    joined = js.joint(
        *(js.sas.problem(d, "sphere", **how) for d in (one, two)),
        shared=["radius"],
        names=("sans", "usans"),
    )
    result = js.fit(joined, warn=False)
    found = read(js.sas.save(result, tmp_path / "a.h5"))
    assert {*found} == {
        f"sasentry0{i}/{name}" for i in (1, 2) for name in ("sasdata01", "fit01")
    }
    usans = found["sasentry02/sasdata01"]
    np.testing.assert_array_equal(usans.intensity, two.y[0])
    np.testing.assert_array_equal(usans.q_length, 0.1)


def test_images_keep_their_shape(tmp_path):
    qx, qy = np.meshgrid(np.linspace(-0.1, 0.1, 4), np.linspace(-0.1, 0.1, 3))
    image = js.io.Image(qx, qy, 1.0 + qx**2, 0.1 + 0 * qx)
    data = js.sas.from_curve(image)
    found = read(js.sas.save(data, tmp_path / "a.h5", 2.0 + 0 * qx))
    measured, fit = (found[f"sasentry01/{n}"] for n in ("sasdata01", "fit01"))
    np.testing.assert_array_equal(measured.intensity, image.intensity)
    np.testing.assert_array_equal(fit.intensity, np.full((3, 4), 2.0))


def test_data_without_errors_have_none_in_the_file(tmp_path):
    path = js.sas.save(simulated(relative=0, absolute=0), tmp_path / "a.h5")
    assert js.io.read_sas(path)[0].sigma is None


def test_what_cannot_be_saved_is_named(tmp_path, best):
    data = simulated()
    other = js.Dataset([[1.0, 2.0]], coords={"omega": [[0.0, 1.0]]})
    with pytest.raises(DataError, match="no coordinate 'q'"):
        js.sas.save(other, tmp_path / "a.h5")
    with pytest.raises(DataError, match="the fit is of other data"):
        js.sas.save(simulated(seed=9), tmp_path / "a.h5", best)
    with pytest.raises(DataError, match=r"fit has shape \(3,\); expected \(40,\)"):
        js.sas.save(data, tmp_path / "a.h5", np.ones(3))
    with pytest.raises(DataError, match="a result holds its own fit"):
        js.sas.save(best, tmp_path / "a.h5", np.ones(40))
    with pytest.raises(FileNotFoundError, match="no such folder to write"):
        js.sas.save(data, tmp_path / "no" / "a.h5")
    with pytest.raises(IsADirectoryError, match="is a directory"):
        js.sas.save(data, tmp_path)
    assert list(tmp_path.iterdir()) == []
