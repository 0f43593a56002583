"""Coarse refinement of simulated patterns whose truth is known."""

import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from jaxscatter.cbed import coarse_field
from jaxscatter.cbed.beams import beams
from jaxscatter.cbed.bloch import Settings
from jaxscatter.cbed.coarse import CoarseOptimize
from jaxscatter.cbed.crystal import Crystal, Site
from jaxscatter.cbed.dat_setup import setup_from_dat
from jaxscatter.cbed.dataset import from_images
from jaxscatter.cbed.geometry import Frame
from jaxscatter.cbed.measured import from_pattern
from jaxscatter.cbed.pattern import simulate_cbed, simulate_larbed
from jaxscatter.cbed.problem import problem
from jaxscatter.cbed.regions import ROI, Region
from jaxscatter.errors import DataError, ModelError

ENERGY, THICKNESS, GL, ROTATION = 200.0, 700.0, 60.0, 3.0
SHIFT = (2.3, -3.4)
DISKS = [(0, 0, 0), (1, -1, 1), (1, -1, -1)]
HKL = [
    *DISKS, (-1, 1, -1), (-1, 1, 1), (2, -2, 2), (0, 0, 2), (0, 0, -2), (2, -2, 0),
    (-2, 2, 0), (2, -2, -2),
]  # fmt: skip
FRAME = Frame((1, 1, 0), (1, -1, 1))
BEAMS = beams(np.array(HKL))
ELASTIC = Settings(absorption="none")
CENTRE = (80.0, 100.0)
REGION = Region([(-10, -10), (-10, 10), (10, -10)], 21, 21)
PLACES = ROI([REGION], DISKS, (1, -1, 1), ROTATION, CENTRE)


@dataclasses.dataclass
class Twin:
    """A pattern, what made it, and K_t seen from SHIFT pixels beside it."""

    crystal: Crystal
    image: np.ndarray
    kt: np.ndarray
    seen: np.ndarray

    def search(self, **changes):
        """Coarse refinement that starts from the truth, but for the shift."""
        usual = {
            "image": self.image,
            "crystal": self.crystal,
            "roi": PLACES,
            "energy": ENERGY,
            "thickness": THICKNESS,
            "frame": FRAME,
            "gl": GL,
            "kt": self.seen,
            "beams": BEAMS,
            "search_radius": 5,
            "settings": ELASTIC,
        }
        return CoarseOptimize(**{**usual, **changes})


def twin_of(crystal, simulated, **options):
    x_length = float(FRAME.x_length(crystal.cell))
    kt = np.array([0.11, 0.23]) * x_length
    seen = kt + x_length / GL * np.array([-SHIFT[1], SHIFT[0]])
    image = simulated(
        crystal, FRAME, ENERGY, THICKNESS, gl=GL, kt0=kt, beams=BEAMS,
        rotation=ROTATION, settings=ELASTIC, **options,
    )  # fmt: skip
    return Twin(crystal, 1e4 * image + 30, kt, seen)


@pytest.fixture(scope="module")
def twin(silicon):
    return twin_of(silicon, simulate_cbed, shape=(161, 201), conv=0.4, dp_center=CENTRE)


def pixels_off(result, twin):
    """How far K_t is from the truth, in pixels."""
    x_length = float(FRAME.x_length(twin.crystal.cell))
    return np.hypot(*(np.array(result.kt) - twin.kt)) * GL / x_length


def test_orientation_and_thickness_of_a_displaced_pattern_are_found(twin):
    search = twin.search(thickness=650.0)
    found = search.optimize_orientation_thickness((300, 1000))
    assert pixels_off(found, twin) < 0.05
    np.testing.assert_allclose(found.shift, SHIFT, atol=0.05)
    assert found.values["thickness"] == pytest.approx(THICKNESS, abs=1.0)
    assert 0 < found.cost < 1e-4 and len(found.history) > 60
    assert found.history.min() == pytest.approx(found.cost)
    again = search.at(found).optimize_hv()
    assert again.values["energy"] == pytest.approx(ENERGY, abs=0.1)
    assert np.hypot(*again.shift) < 0.1
    assert pixels_off(again, twin) < 0.1


def test_what_was_found_starts_a_problem(twin):
    found = twin.search(thickness=695.0).optimize_orientation_thickness((690, 710))
    data = from_pattern(
        twin.image, PLACES, gl=found.state.gl, crystal=twin.crystal, frame=FRAME
    )
    refinement = problem(data, **found.arguments(), free=["thickness"])
    start = refinement.named(refinement.start())
    assert float(start["thickness"]) == pytest.approx(THICKNESS, abs=1.0)
    curves = np.asarray(refinement.model.prepare(start))
    # the samples themselves are interpolated, linearly
    assert np.corrcoef(curves.ravel(), np.asarray(data.y).ravel())[0, 1] > 0.9995


def test_thicknesses_that_look_alike_are_told(twin):
    scan = twin.search().thickness_scan((300, 1000), step=10)
    assert scan.values[scan.best] == pytest.approx(THICKNESS, abs=6)
    assert scan.multimodal and scan.values[scan.candidates[1]] < 400
    assert scan.summary().startswith("WARNING: thickness is multimodal")
    narrow = twin.search().thickness_scan((690, 710))
    assert not narrow.multimodal
    at = int(np.argmin(np.abs(scan.values - 700)))
    assert narrow.correlation[1] == pytest.approx(scan.correlation[at], abs=1e-8)


def test_the_scale_is_found_with_the_orientation(twin):
    found = twin.search(gl=61.2).optimize_orientation_gl()
    assert found.values["gl"] == pytest.approx(GL, rel=1e-3)
    assert pixels_off(found, twin) < 0.1
    assert found.scan is not None and found.scan.name == "gl"


@pytest.mark.parametrize(
    ("method", "changes", "name", "truth", "tolerance"),
    [
        ("optimize_hv", {"energy": 201.7}, "energy", ENERGY, 0.05),
        ("optimize_dwf", {"b_iso": [0.95]}, "B(Si)", 0.4668, 0.01),
        (
            "optimize_cell",
            {"cell": [5.47] * 3 + [90.0] * 3, "gl": GL * 5.4307 / 5.47},
            "cell_a",
            5.4307,
            0.05,
        ),
    ],
)
def test_numbers_of_beam_and_crystal_are_found(
    twin, method, changes, name, truth, tolerance
):
    leaves = {k: v for k, v in changes.items() if k in ("b_iso", "cell")}
    rest = {k: v for k, v in changes.items() if k not in leaves and k != "gl"}
    search = twin.search(crystal=twin.crystal.with_(**leaves), **rest)
    found = getattr(search, method)()
    assert found.values[name] == pytest.approx(truth, abs=tolerance)
    assert found.cost < 1e-4
    assert name in found.summary() and "no errors are claimed" in found.summary()


def test_the_forward_is_compiled_once(twin, monkeypatch):
    traced = []
    waves = coarse_field.bloch.waves

    def counted(*args, **options):
        traced.append(1)
        return waves(*args, **options)

    monkeypatch.setattr(coarse_field.bloch, "waves", counted)
    search = twin.search(energy=201.0)
    found = search.optimize_hv()
    assert len(found.history) > 5 and len(traced) <= 1
    traced.clear()
    search.optimize_hv(span=4.9)
    assert not traced


def test_masked_pixels_have_no_effect(twin):
    rng = np.random.default_rng(4)
    mask = rng.random(twin.image.shape) > 0.03
    answers = []
    for wrong in (0.0, 1e9, np.nan):
        for smooth in (None, blur):
            image = np.where(mask, twin.image, wrong)
            search = twin.search(image=image, mask=mask, filter=smooth)
            scan = search.thickness_scan((690, 710))
            answers.append((scan.correlation, scan.shift))
    for k in (2, 4):
        for plain, other in zip(answers[:2], answers[k : k + 2], strict=True):
            np.testing.assert_array_equal(plain[0], other[0])
            np.testing.assert_array_equal(plain[1], other[1])
    np.testing.assert_allclose(answers[0][1][1], SHIFT, atol=0.05)


def blur(image, sim=False):
    del sim
    return ndimage.gaussian_filter(image, 1.0)


def test_a_filter_sees_both_images_and_is_told_which(twin):
    seen = []

    def slopes(image, sim=False):
        seen.append((sim, image.shape))
        return ndimage.gaussian_gradient_magnitude(image, 1.0)

    found = twin.search(filter=slopes).optimize_hv(span=0.5)
    assert (False, twin.image.shape) in seen and (True, (31, 31)) in seen
    np.testing.assert_allclose(found.shift, SHIFT, atol=0.1)
    assert found.correlation > 0.999
    with pytest.raises(ModelError, match="filter made shape"):
        twin.search(filter=lambda image, sim=False: image[1:])
    with pytest.raises(ModelError, match="not finite"):
        twin.search(filter=lambda image, sim=False: image * np.nan)


def test_images_of_a_scan_are_matched_each_in_its_own_place(silicon):
    twin = twin_of(silicon, simulate_larbed, shape=(35, 37), disks=DISKS)
    roi = ROI([REGION], DISKS, (1, -1, 1), ROTATION, (17.0, 18.0))
    search = twin.search(roi=roi)
    found = search.optimize_orientation_thickness((693, 713))
    assert found.values["thickness"] == pytest.approx(THICKNESS, abs=1.0)
    assert pixels_off(found, twin) < 0.05
    with pytest.raises(DataError, match="for each of the 3 disks"):
        twin.search(roi=roi, image=twin.image[:2])


def test_an_image_without_contrast_costs_one(twin):
    flat = twin.search(image=np.full_like(twin.image, 7.1))
    found = flat.optimize_hv()
    assert np.all(found.history == 1) and found.shift == (0.0, 0.0)
    assert "nan" not in found.summary()
    scan = flat.thickness_scan((690, 710))
    assert np.all(scan.correlation == 0) and not scan.multimodal


def test_levels_of_disks_need_not_be_known(twin):
    image = twin.image.copy()
    image[:, 135:] += 4e3  # where the disk of 1 -1 1 lies
    whole = twin.search(image=image).thickness_scan((690, 710))
    each = twin.search(image=image, background="disk").thickness_scan((690, 710))
    assert whole.correlation.max() < 0.95 < each.correlation.max()


@pytest.mark.slow
def test_structure_factors_may_be_given(twin):
    reflections = [(1, -1, 1)]
    usual = twin.search().thickness_scan((690, 710))
    same = twin.search(reflections=reflections).thickness_scan((690, 710))
    np.testing.assert_allclose(same.correlation, usual.correlation, atol=1e-9)
    start = {"U(1,-1,1)": 0.06}
    other = twin.search(reflections=reflections, start=start)
    assert other.thickness_scan((690, 710)).correlation.max() < 0.99
    assert other.optimize_hv(span=0.1).arguments()["start"] == start
    with pytest.raises(ModelError, match="start holds 'gl'"):
        twin.search(reflections=reflections, start={"gl": 60.0})


def test_bounds_and_edges_are_told_first(twin):
    found = twin.search().optimize_hv(span=0.01)
    assert not found.warnings
    found = twin.search(energy=201.0).optimize_hv(span=0.5)
    assert found.summary().startswith("WARNING: energy is 200.5")
    far = twin.search(kt=twin.seen + 0.7 * (twin.seen - twin.kt))
    found = far.optimize_orientation_thickness((710, 730))
    assert any("search_radius 5" in text for text in found.warnings)
    thin = twin.search().optimize_orientation_thickness((710, 730))
    assert any(text.startswith("thickness is 710") for text in thin.warnings)


def test_the_best_so_far_is_kept_when_stopped(twin):
    search = twin.search(energy=201.0)
    events = []

    def three(event):
        events.append(event)
        return event.step < 3

    found = search.optimize_hv(progress=three)
    assert found.interrupted and len(found.history) == 3 == len(events)
    assert found.cost == pytest.approx(found.history.min())
    assert "stopped before its end" in found.summary()

    def interrupt(event):
        if event.step == 4:
            raise KeyboardInterrupt

    part = search.optimize_orientation_gl(progress=interrupt)
    assert part.interrupted and part.scan is not None and len(part.scan.values) == 4

    def nothing(image, sim=False):
        if sim:
            raise KeyboardInterrupt
        return image

    with pytest.raises(KeyboardInterrupt):
        twin.search(filter=nothing).optimize_hv()


@pytest.mark.slow
def test_positions_and_several_displacements_are_found():
    """A tetragonal crystal with one free coordinate and two B."""

    def crystal(x, b):
        sites = [Site("Au", (0, 0, 0), b[0]), Site("O", (x, x, 0), b[1])]
        return Crystal.from_sites(
            [4.6, 4.6, 4.1, 90, 90, 90], sites, space_group="P 4/m m m"
        )

    frame = Frame((0, 0, 1), (1, 0, 0))
    chosen = beams([(h, k, 0) for h in range(-2, 3) for k in range(-2, 3)])
    disks = [(0, 0, 0), (1, 0, 0), (1, 1, 0)]
    true = crystal(0.3, (0.6, 0.9))
    geometry = {"gl": 40.0, "beams": chosen}
    image = simulate_larbed(
        true, frame, 200.0, 300.0, shape=(41, 41), disks=disks, **geometry
    )
    region = Region([(-14, -14), (-14, 14), (14, -14)], 29, 29)
    usual = {
        "roi": ROI([region], disks, (1, 0, 0), 0.0, (20.0, 20.0)),
        "energy": 200.0,
        "thickness": 300.0,
        "frame": frame,
        "search_radius": 3,
        **geometry,
    }
    off = CoarseOptimize(image, crystal(0.303, (0.6, 0.9)), **usual)
    found = off.optimize_xyz()
    assert list(found.values) == ["x(O)"]
    assert found.values["x(O)"] == pytest.approx(0.3, abs=2e-4)
    moved = np.asarray(found.state.crystal.site_positions())[1]
    np.testing.assert_allclose(moved, [found.values["x(O)"]] * 2 + [0], atol=1e-12)
    warm = CoarseOptimize(image, crystal(0.3, (0.3, 0.5)), **usual)
    for method in ("powell", "nelder-mead"):
        both = warm.optimize_dwf(method=method)
        assert both.cost < 0.02 * both.history[0]
        assert both.values["B(Au)"] == pytest.approx(0.6, abs=0.05)
    one = warm.optimize_dwf(sites=["O"])
    assert list(one.values) == ["B(O)"]


GALLIUM_ARSENIDE = """crystal GaAs : dw = iso occ = 1
cell 5.6533 5.6533 5.6533 90 90 90
atom Ga 0 0 0 0.6
atom As 0.25 0.25 0.25 0.6
spg 216 1
hv 200
zone 1 1 0
norm 1 1 0
kt 0.2 -0.2 0.3
xaxis 1 -1 1
conv 0.3
samp 12
sele 1.5 0.7 0.1 0
sgmin 0.3
omeg 30
aper 0.4
abs 0.4
adj 1
1 -1 1 0.05 40 0.002 40
"""


@pytest.mark.slow
def test_a_setup_of_a_file_is_searched_with_its_structure_factors(tmp_path):
    """No inversion centre, absorption, and beams chosen by the file's rules."""
    pytest.importorskip("gemmi")
    path = tmp_path / "a.dat"
    path.write_text(GALLIUM_ARSENIDE)
    setup = setup_from_dat(path)
    roi = ROI([REGION], DISKS, (1, -1, 1), 0.0, (17.0, 18.0))
    data = from_images(DISKS, np.ones((3, 35, 37)), centre=(17.0, 18.0))
    # the truth as a problem simulates it
    whole = problem(data, setup.crystal, thickness=450.0, gl=GL, **setup.arguments())
    theta = whole.named(whole.start())
    images = np.asarray(whole.model.prepare(theta)).reshape(3, 35, 37)
    x_length = float(setup.frame.x_length(setup.crystal.cell))
    kt = setup.kt + x_length / GL * np.array([-SHIFT[1], SHIFT[0]])
    search = CoarseOptimize(
        images, setup.crystal, roi=roi, thickness=470.0, gl=GL, search_radius=5,
        **{**setup.arguments(), "kt": kt},
    )  # fmt: skip
    found = search.optimize_orientation_thickness((400, 500))
    assert found.values["thickness"] == pytest.approx(450.0, abs=1.0)
    np.testing.assert_allclose(found.shift, SHIFT, atol=0.05)
    assert found.cost < 1e-5
    assert found.arguments()["beams"] == setup.beams


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"energy": -1.0}, ModelError, "energy is -1.0"),
        ({"thickness": float("nan")}, ModelError, "thickness is nan"),
        ({"gl": 0.0}, ModelError, "gl is 0.0"),
        ({"kt": (0.0, float("inf"))}, ModelError, "kt is"),
        ({"search_radius": 0}, ModelError, "search_radius is 0"),
        ({"nx": 3}, ModelError, "nx is 3"),
        ({"background": "none"}, ModelError, "background is 'none'"),
        ({"sampling": "best"}, ModelError, "kind is 'best'"),
        ({"image": np.ones(5)}, DataError, "image has shape"),
        ({"image": np.full((161, 201), np.nan)}, DataError, "finite pixels"),
        ({"mask": np.ones((3, 3), bool)}, DataError, "mask has shape"),
        ({"frame": Frame((1, 1, 0), (0, 0, 2))}, DataError, "x axis"),
        ({"image": np.ones((9, 9))}, DataError, "no pixel of the regions"),
    ],
)
def test_what_does_not_fit_together_is_refused(twin, changes, error, words):
    with pytest.raises(error, match=words):
        twin.search(**changes)


def test_searches_refuse_what_they_cannot_vary(twin):
    search = twin.search()
    with pytest.raises(ModelError, match="no free coordinate"):
        search.optimize_xyz()
    with pytest.raises(ModelError, match="bounds of thickness"):
        search.thickness_scan((800, 700))
    with pytest.raises(ModelError, match="step is 0"):
        search.thickness_scan((600, 700), step=0)
    with pytest.raises(ModelError, match="bounds of energy"):
        search.optimize_hv(span=300)
    with pytest.raises(ModelError, match="steps is 2"):
        search.optimize_orientation_gl(steps=2)
    with pytest.raises(ModelError, match="method is 'simplex'"):
        search.optimize_dwf(method="simplex")
    with pytest.raises(ModelError, match="bounds of B"):
        search.optimize_dwf(bounds=(-1, 2))
