"""Scattering factors against another program, mpmath and Mott and Bethe's formula."""

import csv
import json
import pathlib

import jax
import mpmath
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.cbed import scattering_factors as sf
from jaxscatter.errors import ModelError

DATA = pathlib.Path(__file__).parent.parent / "data" / "cbed"
with (DATA / "crystal_scattering_factors.csv").open() as file:
    ROWS = list(csv.DictReader(file))
TABLES = ("lobato", "kirkland", "peng", "peng_low", "xray")


@pytest.mark.parametrize("table", ["lobato", "kirkland", "peng"])
def test_factors_agree_with_another_program(table):
    rows = [row for row in ROWS if row["parametrization"] == table]
    for symbol in {row["element"] for row in rows}:
        mine = [row for row in rows if row["element"] == symbol]
        g = np.array([float(row["g_per_A"]) for row in mine])
        want = np.array([float(row["f_e_A"]) for row in mine])
        np.testing.assert_allclose(
            sf.electron_factor(symbol, g, table), want, rtol=1e-10
        )


@pytest.mark.parametrize("symbol", ["H", "Si", "Au"])
def test_xray_table_gives_the_formula_of_mott_and_bethe(symbol):
    """(Z - f_x)/(8π²a₀s²) in 40 digits, down to s where doubles would cancel."""
    gemmi = pytest.importorskip("gemmi")
    known = gemmi.Element(symbol).it92
    for g in (1e-6, 1e-3, 0.02, 0.3, 2.0, 7.0):
        with mpmath.workdps(40):
            s2 = mpmath.mpf(g) ** 2 / 4
            a, b = [mpmath.mpf(x) for x in known.a], [mpmath.mpf(x) for x in known.b]
            missing = mpmath.fsum(
                x * (1 - mpmath.exp(-y * s2)) for x, y in zip(a, b, strict=True)
            )
            want = float(sf.MOTT_BETHE * missing / s2)
            f_x = float(gemmi.Element(symbol).atomic_number - missing)
        got = float(sf.electron_factor(symbol, g, "xray"))
        np.testing.assert_allclose(got, want, rtol=1e-13)
        np.testing.assert_allclose(float(sf.xray_factor(symbol, g)), f_x, rtol=1e-13)


@pytest.mark.parametrize("symbol", ["Si", "Cu"])
def test_tables_agree_with_each_other(symbol):
    """Independent fits to the same atoms."""
    g = np.array([0.3, 0.8, 1.5])
    want = sf.electron_factor(symbol, g, "lobato")
    for table in TABLES[1:]:
        got = sf.electron_factor(symbol, g, table)
        np.testing.assert_allclose(got, want, rtol=0.03)


def test_every_element_of_every_table_is_finite_and_positive_near_the_origin():
    for table in TABLES:
        last = 98 if table.startswith("peng") or table == "xray" else 103
        for symbol in sf.elements()[:last:7]:
            f = np.asarray(sf.electron_factor(symbol, np.array([0.0, 0.5]), table))
            assert np.all(f > 0), (symbol, table)


def test_elements_are_those_of_the_periodic_table():
    gemmi = pytest.importorskip("gemmi")
    for z, symbol in enumerate(sf.elements(), 1):
        assert gemmi.Element(symbol).atomic_number == z == sf.atomic_number(symbol)


def test_tables_are_valid_json_with_a_source():
    where = pathlib.Path(sf.__file__).parent / "tables"
    readme = (where / "README.md").read_text("utf-8")
    for path in where.iterdir():
        assert path.name in readme or path.name == "README.md"
        if path.suffix == ".json":
            assert json.loads(path.read_text())["Si"]


@pytest.mark.parametrize("table", TABLES)
def test_factor_can_be_differentiated_at_the_origin(table):
    of = jax.jit(lambda g: sf.electron_factor("Si", g, table))
    check_grads(of, (np.array([0.3, 1.7]),), order=2, modes=("fwd", "rev"))
    assert float(jax.grad(of)(0.0)) == 0
    assert np.isfinite(float(jax.hessian(of)(0.0)))


def test_single_precision_stays_and_is_good_to_a_few_units():
    g = np.array([0.0, 0.1, 1.0], np.float32)
    for table in TABLES:
        got = sf.electron_factor("Ga", g, table)
        assert got.dtype == np.float32
        want = sf.electron_factor("Ga", g.astype(float), table)
        np.testing.assert_allclose(got, want, rtol=3e-6)


def test_low_table_of_peng_ends_at_four():
    with pytest.raises(ModelError, match="table 'peng'"):
        sf.electron_factor("Si", np.array([1.0, 4.01]), "peng_low")
    traced = jax.jit(lambda g: sf.electron_factor("Si", g, "peng_low"))
    got = np.asarray(traced(np.array([4.0, 4.01])))
    assert np.isfinite(got[0])
    assert np.isnan(got[1])
    assert np.isfinite(sf.electron_factor("Si", 5.0, "peng"))


@pytest.mark.parametrize(
    ("symbol", "table"), [("Qq", "lobato"), ("Lr", "peng"), ("Si", "nothing")]
)
def test_unknown_element_or_table_is_named(symbol, table):
    with pytest.raises(KeyError, match=symbol) as caught:
        sf.electron_factor(symbol, 0.1, table)
    assert table in str(caught.value)


def test_ions_and_unknown_elements_have_no_mott_bethe_factor():
    with pytest.raises(ModelError, match=r"Cu2\+"):
        sf.electron_factor("Cu2+", 0.1, "xray")
    with pytest.raises(KeyError, match="Qq"):
        sf.electron_factor("Qq", 0.1, "doyle_turner")
    with pytest.raises(KeyError, match="Qq"):
        sf.atomic_number("Qq")
