"""The lines of the page on large data run, and say what the page says of them."""

import pathlib
import re

import numpy as np
import pytest

DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs"


@pytest.mark.slow
@pytest.mark.filterwarnings("default:scatter inputs:FutureWarning")
def test_the_lines_on_streams_precision_devices_and_losses_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (DOCS / "large_data.md").read_text("utf-8")
    before = page[: page.index("## Fits combined")]
    blocks = re.findall(r"```python\n(.*?)```", before, re.S)
    names = {}
    for block in blocks:
        if "initialize" not in block:  # joins processes that are not there
            exec(block, names)
    fit = names["fit"]
    for other in ("streamed", "spread"):
        for label in fit.labels:
            assert abs(names[other][label] - fit[label]) < 1e-4 * fit.error(label)
    for label in fit.labels:
        assert abs(names["rough"][label] - fit[label]) < 0.01 * fit.error(label)
        assert 1.0 < names["calm"].error(label) / fit.error(label) < 1.25
    assert names["large"].streamed and names["calm"].success


@pytest.mark.slow
def test_the_block_of_the_page_gives_the_sums_of_the_default(capsys):
    source = (DOCS / "examples" / "own_block.py").read_text("utf-8")
    names = {"__name__": "own_block"}
    exec(compile(source, "own_block.py", "exec"), names)  # compares them itself
    best, other = names["best"], names["two"]
    assert best.problem.block == 256 and other.block is None
    assert best.success and "Relaxation" in capsys.readouterr().out
    np.testing.assert_allclose(best["D"], 0.2, atol=4 * best.error("D"))
