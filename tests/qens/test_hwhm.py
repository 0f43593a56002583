"""The table of half widths as a file."""

import numpy as np

from jaxscatter import qens


def test_the_table_has_the_documented_header_and_formats(tmp_path):
    q, hwhm, err, eisf = (np.array([v]) for v in (0.65, 0.1234567, 0.001, 0.25))
    path = qens.save_hwhm_csv(q, hwhm, err, eisf, tmp_path)
    head, row = path.read_text("utf-8").splitlines()
    assert head == "q_centre_inv_angstrom,hwhm_mev,hwhm_err_mev,eisf"
    assert row == "0.6500,0.123457,0.001000,0.2500"
