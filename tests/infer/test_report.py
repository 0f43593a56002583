"""Numbers and tables of summaries."""

import math

import pytest

from jaxscatter.infer.report import columns, number, warned


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (1.2345, 0.012, "1.234 ± 0.012"),
        (0.0123456, 0.00012, "0.01235 ± 0.00012"),
        (0.0, 0.13, "0.00 ± 0.13"),
        (-3.21, 1.4, "-3.2 ± 1.4"),
        (12345.0, 120.0, "(1.234 ± 0.012)e+4"),
        (1.5e-7, 2e-9, "(1.500 ± 0.020)e-7"),
        (2.5, math.nan, "2.5"),
        (2.5, 0.0, "2.5"),
        (0.3, math.inf, "0.3 ± not determined"),
        (math.nan, 0.1, "nan"),
    ],
)
def test_numbers_show_two_digits_of_their_error(value, error, text):
    assert number(value, error) == text


def test_columns_are_aligned_and_warnings_marked():
    lines = columns([["a", "1"], ["long", "22"]], ["name", "v"])
    assert lines == ["name  v", "a     1", "long  22"]
    assert warned(("x",)) == ["! x"]


def test_fit_summaries_hold_values_units_and_correlations(decay_fit, bound_fit):
    text = decay_fit.summary()
    assert text.startswith("decay · tr fit")
    assert "ps" in text and "[0.1, 10]" in text
    assert "chi2" in text and "AICc" in text
    strong = bool(decay_fit.correlations(0.8))
    assert ("correlations above 0.8: d-tau" in text) == strong
    assert "AT BOUND" in bound_fit.summary()


def test_sample_summaries_hold_the_verdict_before_the_numbers(decay_draws):
    lines = decay_draws.summary().splitlines()
    assert lines[0] == "decay · NUTS posterior"
    verdict = next(i for i, line in enumerate(lines) if line.startswith("verdict"))
    table = next(i for i, line in enumerate(lines) if line.startswith("parameter"))
    assert all(line.startswith("! ") for line in lines[1:verdict])
    assert verdict < table and "amplitudes: flat" in lines[verdict]
