"""Tables of parameters and curves at default values, for the pages of SAS models.

One Markdown fragment and one figure per model, written while the documentation is
built and only where the models have changed.
"""

import hashlib
import math
import os
import pathlib

# little is computed and much compiled: the optimiser would take longer than it saves
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import numpy as np

import jaxscatter as js
from jaxscatter.plot import style
from jaxscatter.sas.catalogue import MODELS
from jaxscatter.sas.declaration import AbstractForm, AbstractInteraction

STAMP = "stamp.txt"


def write(folder: pathlib.Path) -> None:
    """Fragments `name.md` and figures `name.png` of all models in `folder`."""
    stamp = _stamp()
    here = folder / STAMP
    if here.exists() and here.read_text("utf-8") == stamp:
        return
    folder.mkdir(exist_ok=True)
    for name in MODELS:
        _figure(name, folder / f"{name}.png")
        (folder / f"{name}.md").write_text(_fragment(name, folder.name), "utf-8")
    here.write_text(stamp, "utf-8")


def _stamp() -> str:
    """What the fragments depend on: the models' source and this file."""
    source = pathlib.Path(js.sas.__file__).parent
    digest = hashlib.sha256(pathlib.Path(__file__).read_bytes())
    for path in sorted(source.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _fragment(name: str, folder: str) -> str:
    model = MODELS[name]()
    lines = []
    if model.quantities:
        lines += ["| parameter | unit | default | limits | |", "|---|---|---|---|---|"]
    for row in model.table:
        shown = f"`{row.name}`" if row.per is None else f"`{row.name}1`, …"
        kind = " (oriented patterns)" if row.kind == "orientation" else ""
        lines.append(
            f"| {shown} | {row.unit} | {_number(row.value)} | {_limits(row)} "
            f"| {row.doc}{kind} |"
        )
    for control in model.controls:
        lines.append(
            f"| `{control.name}` | | {control.value} | {control.lo} … {control.hi} "
            f"| {control.doc}; fixed in a fit |"
        )
    lines.append("")
    said = []
    if isinstance(model, AbstractForm):
        if model.modes:
            modes = ", ".join(f"{i} {m}" for i, m in enumerate(model.modes, 1))
            said.append(f"`radius_effective_mode`: {modes}.")
        if not model.has_amplitude:
            said.append("No ⟨F⟩: in P@S only `structure_factor_mode=0`.")
        if not model.zero_q:
            said.append("No finite value at q = 0.")
    if model.reference:
        said.append(f"Source: {model.reference}.")
    what = "S(q)" if isinstance(model, AbstractInteraction) else "I(q)"
    lines += [
        " ".join(said),
        "",
        f"![{what} of {name} at default values]({folder}/{name}.png)",
        "",
    ]
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:.6g}"


def _limits(row) -> str:
    if math.isinf(row.lo) and math.isinf(row.hi):
        return ""
    if math.isinf(row.hi):
        return f"≥ {_number(row.lo)}"
    return f"{_number(row.lo)} … {_number(row.hi)}"


def _figure(name: str, path: pathlib.Path) -> None:
    interaction = issubclass(MODELS[name], AbstractInteraction)
    q = np.linspace(1e-3, 0.5, 300) if interaction else np.geomspace(1e-3, 0.7, 300)
    curve = np.asarray(js.sas.intensity(name, q))
    with style.context():
        fig = style.figure(4.8, 2.7)
        ax = fig.subplots()
        ax.plot(q, curve, color=style.BLUE, lw=1.3)
        ax.set_xlabel(style.label("Q", "1/Å"))
        if interaction:
            ax.set(ylabel="S(Q)", ylim=(0, None), xlim=(0, None))
        else:
            if name != "line":
                ax.set(xscale="log", yscale="log")
            ax.set_ylabel(style.label("I(Q)", "1/cm"))
        fig.savefig(path, dpi=110)
