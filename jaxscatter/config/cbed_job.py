"""Job files of electron diffraction; the keys are the arguments of `js.cbed`'s doors.

Without `data` a job analyses what its section `simulate` describes. Parameters start
at `geometry`, the crystal, or a `.dat` file, and `parameters` changes that.

Units: K_t in 1/Å, lengths in Å, energy in keV, angles in degrees, gl in pixels.
"""

import dataclasses
import functools
import pathlib
from typing import Any

import numpy as np

from .. import cbed
from ..errors import ConfigError, FormatError, JaxscatterError
from ..problem import Dataset, Gaussian, Problem
from .cbed_checks import checked as checked
from .cbed_sections import (
    Atom,
    BeamChoice,
    CrystalSource,
    Data,
    Geometry,
    Model,
    Roi,
    Settings,
    Simulation,
    frame_of,
    index_of,
    inline,
    is_dat,
    roi_of,
    rule,
)
from .parts import AbstractJob, Change, Fit, Sample, changes

SECTIONS: dict[str, type] = {
    "data": Data, "data.roi": Roi, "crystal": CrystalSource, "crystal.sites.*": Atom,
    "geometry": Geometry, "beams": BeamChoice, "settings": Settings, "model": Model,
    "fit": Fit, "sample": Sample, "simulate": Simulation, "parameters.*": Change,
}  # fmt: skip


@dataclasses.dataclass
class Job(AbstractJob):
    """One analysis of a pattern, measured or simulated."""

    crystal: CrystalSource
    geometry: Geometry
    data: Data | None = None
    technique: str = "cbed"
    title: str = ""
    beams: BeamChoice | None = None
    settings: Settings = dataclasses.field(default_factory=Settings)
    model: Model = dataclasses.field(default_factory=Model)
    parameters: dict[str, float | Change] = dataclasses.field(default_factory=dict)
    ties: dict[str, str] = dataclasses.field(default_factory=dict)
    fit: Fit | None = dataclasses.field(default_factory=lambda: Fit("tr"))
    sample: Sample | None = None
    simulate: Simulation | None = None
    output: str | None = None
    file: pathlib.Path | None = dataclasses.field(default=None, repr=False)

    groups = ("disk", "disks")

    @property
    def model_name(self) -> str:
        """Name of the model, for its form of the wave equation."""
        return f"bloch_{self.settings.form}"

    @property
    def data_path(self) -> str:
        """The data files as the job names them."""
        if self.data is None:
            return "simulated"
        path = self.data.path
        return path if isinstance(path, str) else ", ".join(path.values())

    @functools.cached_property
    def _given(self) -> tuple[cbed.Crystal, cbed.DatSetup | None]:
        """The crystal, and the measurement that a `.dat` file describes."""
        source = self.crystal
        if is_dat(source):
            absorption = self.settings.absorption
            setup = cbed.setup_from_dat(
                self.resolve(source.path or ""),
                absorption=None if absorption is None else rule(absorption),
                equivalents=self.model.equivalents,
            )
            return setup.crystal, setup
        try:
            if source.path is None:
                return inline(source), None
            path = self.resolve(source.path)
            return cbed.Crystal.from_cif(path, block=source.block), None
        except (FormatError, FileNotFoundError):
            raise
        except (JaxscatterError, KeyError) as error:
            raise ConfigError(f"{self.name}: crystal: {error.args[0]}") from error

    def load(self) -> Dataset:
        """The pattern, or a simulated one where the job has no data."""
        d = self.data
        if d is None:
            return self.simulated()
        options = {
            f.name: getattr(d, f.name)
            for f in dataclasses.fields(d)
            if f.name not in ("path", "roi", "hkl")
        }
        for name in ("variance", "mask", "mtf", "background"):
            value = options[name]
            if isinstance(value, str) and (name, value) != ("variance", "unknown"):
                options[name] = self.resolve(value)
        if isinstance(d.variance, dict):
            options["variance"] = self._files(d.variance)
        if isinstance(d.mtf, list):
            options["mtf"] = tuple(np.asarray(m, float) for m in d.mtf)
        if d.roi is not None:
            crystal, frame = self._given[0], self._frame()
            options["roi"] = roi_of(d.roi, frame, self.geometry.rotation)
            options |= {"gl": self.geometry.gl, "crystal": crystal, "frame": frame}
        if d.hkl is not None:
            options["hkl"] = self.resolve(d.hkl) if isinstance(d.hkl, str) else d.hkl
        path = self._files(d.path) if isinstance(d.path, dict) else self.resolve(d.path)
        return cbed.load(path, **options)

    def problem(self, data: Dataset) -> Problem:
        """The problem of this job for its loaded data."""
        m, table = self.model, changes(self.parameters)
        held = {k for k, v in table.items() if v.get("fixed")}
        loose = {k for k, v in table.items() if v.get("fixed") is False}
        try:
            crystal, arguments = self._arguments()
            how: dict[str, Any] = {
                **arguments,
                "bounds": _fields(table, "bounds"),
                "priors": _fields(table, "prior"),
                "background": m.background,
                "margin": m.margin,
                "likelihood": None if m.loss == "linear" else Gaussian(loss=m.loss),
            }
            made = cbed.problem(data, crystal, free=m.free, **how)
            if not held and not loose:
                return made
            usual = {p.name for p in made.parameters if not p.fixed and p.tie is None}
            chosen: Any = made.model.beams  # type: ignore[attr-defined]
            how["beams"] = cbed.beams(np.asarray(chosen.hkl), np.asarray(chosen.weak))
            return cbed.problem(
                data, crystal, free=sorted((usual | loose) - held), **how
            )
        except (JaxscatterError, KeyError, TypeError) as error:
            if isinstance(error, FormatError | ConfigError):
                raise
            raise ConfigError(f"{self.name}: {error.args[0]}") from error

    def posterior(self, problem: Problem) -> Problem:
        """With noise of unknown scale, where the data have no errors."""
        if problem.given.sigma_given:
            return problem
        return problem.with_(likelihood=Gaussian("scale_marginal"))

    def described(self, data: Dataset) -> list[str]:
        """The data and the model in words."""
        crystal, setup = self._given
        frame, m, s = self._frame(), self.model, self._settings()
        of = "".join(f"{k}{v:g}" for k, v in crystal.composition().items())
        chosen = self.beams
        if chosen is None and setup is not None:
            beams = "as the .dat file says"
        elif chosen is not None and chosen.hkl is not None:
            beams = f"{len(chosen.hkl)} listed"
        else:
            chosen = chosen or BeamChoice()
            beams = f"up to {chosen.g_max:g} 1/Å, |s| up to {chosen.s_max:g} 1/Å"
        reflections, _ = self._refined()
        lines = [
            f"data     {self.data_path}",
            f"         {extent(data)}",
            f"crystal  {of} in a cell of {float(crystal.volume()):.2f} Å³, "
            f"{len(crystal.operations)} operations, "
            f"{self.crystal.path or 'of this job'}",
            f"beam     {self._energy():g} keV along {_row(frame.zone)}, x axis "
            f"{_row(frame.x_axis)}, K_t {_row(self._kt(), '.5g')} 1/Å",
            f"beams    {beams}",
            f"model    {self.model_name}, solver {s.solver}, factors {s.table}, "
            f"absorption {_said(s.absorption)}",
            "refined  " + (", ".join(map(_row, reflections)) or "no reflection"),
        ]
        if m.psf is not None:
            lines.append(f"probe    {m.psf}")
        if "truth" in data.metadata:
            lines.append(f"truth    {truth_of(data)}")
        return lines

    def built(self, problem: Problem) -> list[str]:
        """How many beams were chosen."""
        beams: Any = problem.model.beams  # type: ignore[attr-defined]
        weak = f" and {len(beams.weak)} weak" if len(beams.weak) else ""
        return [f"chosen   {len(beams.hkl)}{weak} beams"]

    def simulated(self) -> Dataset:
        """LARBED images of the job's model, as its section `simulate` says.

        Raises:
            ConfigError: no such section, or what it says is impossible.
        """
        s = self.simulate
        if s is None:
            raise ConfigError(
                f"{self.name}: missing the required key simulate (or data)"
            )
        hkl = s.hkl
        if hkl is None and self.data is not None and isinstance(self.data.hkl, list):
            hkl = self.data.hkl
        if hkl is None:
            raise ConfigError(f"{self.name}: missing the required key simulate.hkl")
        detector = None if self.data is None else self.data.detector
        try:
            crystal, arguments = self._arguments()
            arguments["start"] = {**arguments["start"], **s.values}
            return cbed.simulate(
                crystal,
                np.asarray(hkl),
                s.shape,
                counts=s.counts,
                background=s.background,
                detector=None if detector is None else cbed.Detector(*detector),
                noise=s.noise,
                seed=s.seed,
                **arguments,
            )
        except (JaxscatterError, KeyError, TypeError) as error:
            if isinstance(error, FormatError | ConfigError):
                raise
            raise ConfigError(f"{self.name}: {error.args[0]}") from error

    def _arguments(self) -> tuple[cbed.Crystal, dict[str, Any]]:
        """The crystal and the arguments of `problem` that a simulation has, too."""
        (crystal, setup), g, m = self._given, self.geometry, self.model
        reflections, start = self._refined()
        start = {**start, **_fields(changes(self.parameters), "value")}
        out = {
            "energy": self._energy(),
            "thickness": g.thickness,
            "frame": self._frame(),
            "gl": g.gl,
            "kt": self._kt(),
            "rotation": g.rotation,
            "reflections": reflections,
            "start": start,
            "ties": self.ties,
            "psf": m.psf,
            "padding": m.padding,
            "shift_disks": m.shift_disks,
            "settings": self._settings(),
            "equivalents": m.equivalents,
        }
        chosen = self.beams
        if chosen is None:
            out["beams"] = None if setup is None else setup.beams
        elif chosen.hkl is not None:
            out["beams"] = cbed.beams(chosen.hkl, chosen.weak)
        else:
            selection = dataclasses.asdict(chosen)
            del selection["hkl"], selection["weak"]
            out["beams"] = selection
        return crystal, out

    def _refined(self) -> tuple[list[Any], dict[str, float]]:
        """Reflections to refine, and their start values in a `.dat` file."""
        _, setup = self._given
        if self.model.reflections is not None:
            return list(self.model.reflections), {}
        if setup is None:
            return [], {}
        return list(setup.reflections), dict(setup.start)

    def _frame(self) -> cbed.Frame:
        setup = self._given[1]
        return frame_of(self.geometry, None if setup is None else setup.frame)

    def _energy(self) -> float:
        own, setup = self.geometry.energy, self._given[1]
        if own is None:
            assert setup is not None
            return setup.energy
        return own

    def _kt(self) -> list[float]:
        crystal, setup = self._given
        own = self.geometry.kt
        if own is None:
            return [0.0, 0.0] if setup is None else np.asarray(setup.kt).tolist()
        if len(own) == 3:
            own = self._frame().tangential(np.asarray(own), crystal.cell)
        return np.asarray(own).tolist()

    def _settings(self) -> cbed.Settings:
        s, setup = self.settings, self._given[1]
        usual = cbed.Settings() if setup is None else setup.settings
        return cbed.Settings(
            form=s.form,
            solver=s.solver,
            table=s.table,
            absorption=usual.absorption if s.absorption is None else rule(s.absorption),
            refraction=usual.refraction if s.refraction is None else s.refraction,
            tile=s.tile,
        )

    def _files(self, given: dict[str, str]) -> dict[Any, pathlib.Path]:
        return {index_of(g): self.resolve(path) for g, path in given.items()}


def _fields(table: dict[str, dict[str, Any]], key: str) -> dict[str, Any]:
    return {name: change[key] for name, change in table.items() if key in change}


def _row(values: Any, form: str = "g") -> str:
    return "(" + " ".join(f"{x:{form}}" for x in values) + ")"


def _said(absorption: Any) -> str:
    if isinstance(absorption, str):
        return absorption
    return str(absorption).replace("(", " (", 1)


def extent(data: Dataset) -> str:
    """Disks, their size, and usable points in words."""
    disks = np.stack([np.asarray(data.coords[n]) for n in "hkl"], axis=-1)
    shown = " ".join(_row(g) for g in disks[:5])
    more = " ..." if len(disks) > 5 else ""
    image = data.metadata.get("image")
    if image is not None:
        what = f"{len(disks)} LARBED images of {image[0]} x {image[1]} pixels"
    else:
        what = f"{len(disks)} disks of {data.y.shape[1]} samples"
    errors = "" if data.sigma_given else ", without errors"
    return f"{what}, {data.n_valid} usable points{errors}: {shown}{more}"


def truth_of(data: Dataset) -> str:
    """Values that were put into simulated data; those that only rounding made are 0."""
    known = data.metadata["truth"].items()
    return ", ".join(f"{k} {0.0 if abs(v) < 1e-12 else v:.6g}" for k, v in known)
