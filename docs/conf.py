"""Sphinx configuration: MyST-NB pages, API from docstrings, notebooks copied in."""

import pathlib
import re
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import _model_pages

import jaxscatter

ROOT = pathlib.Path(__file__).resolve().parent.parent

# The notebooks live outside docs/, and Sphinx reads nothing outside it.
copied = pathlib.Path(__file__).resolve().parent / "notebooks"
copied.mkdir(exist_ok=True)
for notebook in (ROOT / "notebooks").glob("*.ipynb"):
    target = copied / notebook.name
    if not target.exists() or target.read_bytes() != notebook.read_bytes():
        shutil.copyfile(notebook, target)

# Tables and figures of the SAS models are made from the code, not typed.
_model_pages.write(pathlib.Path(__file__).resolve().parent / "_generated")

project = "jaxscatter"
author = "The jaxscatter developers"
copyright = author
version = release = jaxscatter.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "_generated", "jupyter_execute", "**.ipynb_checkpoints"]

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "off"

# Shapes such as Float[Array, "q omega"] are for checkers, not for readers.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_custom_sections = [
    ("Returns", "params_style"),
    ("Class attributes", "params_style"),
]

html_theme = "furo"
html_title = f"jaxscatter {release}"


def _plain(app, what, name, obj, options, lines):
    """Docstrings are plain text with `code`: nothing else in them is markup."""
    text = "\n".join(lines)
    parts = re.split(r"(`[^`]+`)", text)
    for i, part in enumerate(parts):
        if i % 2:
            parts[i] = f"`{part}`"
        else:
            glue = "\\ " if i and part[:1].isalpha() else ""  # as in `Event`s
            parts[i] = glue + re.sub(r"([|*\\])", r"\\\1", part)
    lines[:] = _blocks("".join(parts).split("\n"))


def _blocks(lines):
    """Formulas and code stand apart and indented: they are shown as they are."""
    out, before, literal = [], "", False
    for i, line in enumerate(lines):
        apart = i > 0 and not lines[i - 1].strip()
        plain = before and not before.startswith(" ") and not before.endswith(":")
        if line.startswith("    ") and apart and plain:
            out += ["::", ""]
            literal = True
        literal = literal and (line.startswith(" ") or not line.strip())
        out.append(re.sub(r"\\([|*\\])", r"\1", line) if literal else line)
        before = line.rstrip() or before
    return out


def setup(app):
    """Run before napoleon, which has priority 500."""
    app.connect("autodoc-process-docstring", _plain, priority=400)
