"""The figure that notebooks show by themselves."""

from jaxscatter.plot.canvas import PlainFigure


def test_a_figure_gives_notebooks_a_png():
    figure = PlainFigure(figsize=(2, 1))
    figure.add_subplot()
    assert figure._repr_png_().startswith(b"\x89PNG")
