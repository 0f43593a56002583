"""Notebooks are stored without outputs and run from top to bottom."""

import pathlib

import pytest

nbformat = pytest.importorskip("nbformat")

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def code_cells(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook, [c for c in notebook.cells if c.cell_type == "code"]


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_stored_notebook_holds_no_outputs(path):
    _, cells = code_cells(path)
    assert cells
    for cell in cells:
        assert cell.outputs == []
        assert cell.execution_count is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_the_code_of_a_notebook_compiles(path):
    _, cells = code_cells(path)
    for i, cell in enumerate(cells):
        compile(cell.source, f"{path.name}[{i}]", "exec")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_runs_from_top_to_bottom(path, tmp_path):
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook, cells = code_cells(path)
    client = nbclient.NotebookClient(
        notebook,
        timeout=1800,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()
    text = "".join(
        o.text for c in cells for o in c.outputs if o.output_type == "stream"
    )
    source = "".join(c.source for c in cells)
    if "js.load_result(" in source:
        assert "come back bit for bit: True" in text
    if "js.sample(" in source:
        assert "The sampler converged." in text
    assert list(tmp_path.iterdir()) == []  # leaves nothing behind
