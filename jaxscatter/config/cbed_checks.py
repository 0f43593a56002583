"""What can be judged of a job file of electron diffraction before its files are read.

Units: as in `cbed_sections`.
"""

import math
from typing import Any

from ..cbed.bloch import FORMS, SOLVERS
from ..cbed.catalogue import FAMILIES, plain_names
from ..cbed.detector import VARIANCES
from ..cbed.problem import BACKGROUNDS
from ..cbed.psf import KINDS
from ..cbed.scattering_factors import tables
from ..errors import ConfigError, JaxscatterError
from ..problem.likelihood import LOSSES
from .cbed_sections import inline, is_dat, rule
from .checks import at_least, named_prior, need_known, unknown
from .parts import Change, check_verbs

POSITIVE = ("thickness", "gl", "energy")
BY_FILE = ("zone", "x_axis", "energy")
"""What a `.dat` file says where `geometry` does not."""


def checked(job: Any) -> Any:
    """The job, if its names and ranges are good.

    Raises:
        ConfigError: with the place of what is not.
    """
    check_verbs(job.fit, job.sample)
    _check_data(job)
    _check_crystal(job.crystal)
    _check_geometry(job)
    s, m = job.settings, job.model
    for place, value, known in (
        ("settings.form", s.form, FORMS),
        ("settings.solver", s.solver, SOLVERS),
        ("settings.table", s.table, tables()),
        ("model.background", m.background, BACKGROUNDS),
        ("model.loss", m.loss, LOSSES),
    ):
        need_known(place, value, known)
    if s.absorption is not None:
        rule(s.absorption)
    if m.psf is not None:
        need_known("model.psf", m.psf, KINDS)
    at_least("settings", s, tile=1)
    at_least("model", m, padding=0, margin=1)
    if job.beams is not None:
        at_least("beams", job.beams, g_max=0, s_max=0, n_max=1)
        if job.beams.weak is not None and job.beams.hkl is None:
            raise ConfigError("beams.weak: expected beams.hkl beside it")
    _check_names(job)
    return job


def _check_data(job: Any) -> None:
    d, s = job.data, job.simulate
    if d is None and s is None:
        raise ConfigError("missing the required key data (or simulate)")
    if d is not None:
        need_known("data.model", d.model, VARIANCES)
        if d.roi is None and d.hkl is None and isinstance(d.path, str):
            raise ConfigError(
                "data: neither roi nor hkl; expected roi for disks of one CBED image, "
                "or hkl of LARBED images"
            )
        if d.roi is not None and d.hkl is not None:
            raise ConfigError("data: roi and hkl are both given; expected one of them")
        if d.detector is not None and len(d.detector) != 5:
            raise ConfigError(
                f"data.detector: {d.detector}; expected the five numbers varB, delta, "
                "A, g, m"
            )
    if s is not None:
        at_least("simulate", s, background=0, seed=0)
        if not (math.isfinite(s.counts) and s.counts > 0):
            raise ConfigError(f"simulate.counts: {s.counts}; expected above 0")
        if min(s.shape) < 1:
            raise ConfigError(f"simulate.shape: {list(s.shape)}; expected at least 1")


def _check_crystal(source: Any) -> None:
    if source.path is None:
        for name in ("cell", "sites"):
            if not getattr(source, name):
                raise ConfigError(f"missing the required key crystal.{name} (or path)")
        try:
            inline(source)
        except (JaxscatterError, KeyError) as error:
            raise ConfigError(f"crystal: {error.args[0]}") from error
        return
    for name in ("cell", "space_group", "setting", "sites"):
        if getattr(source, name):
            raise ConfigError(f"crystal.{name}: expected it in {source.path} alone")


def _check_geometry(job: Any) -> None:
    g = job.geometry
    for name in POSITIVE:
        value = getattr(g, name)
        if value is not None and not (math.isfinite(value) and value > 0):
            raise ConfigError(f"geometry.{name}: {value}; expected above 0")
    if not is_dat(job.crystal):
        for name in BY_FILE:
            if getattr(g, name) is None:
                raise ConfigError(f"missing the required key geometry.{name}")
    if isinstance(g.normal, str):
        need_known("geometry.normal", g.normal, ("zone", "beam"))
    if g.kt is not None and len(g.kt) not in (2, 3):
        raise ConfigError(
            f"geometry.kt: {g.kt}; expected (k_x, k_y) in 1/Å, or three components on "
            "a*, b*, c*"
        )


def _check_names(job: Any) -> None:
    known, open_families = _names(job)

    def check(place: str, name: str, more: tuple[str, ...] = ()) -> None:
        family, opened, _ = name.partition("(")
        if name not in (*known, *more) and not (opened and family in open_families):
            unknown(place, name, (*known, *more))

    for name in job.model.free or ():
        check(f"model.free.{name}", name, ("geometry",))
    for name, other in job.ties.items():
        check(f"ties.{name}", name)
        check(f"ties.{name}.{other}", other)
    if job.simulate is not None:
        for name, value in job.simulate.values.items():
            check(f"simulate.values.{name}", name)
            _check_value(f"simulate.values.{name}", name, value)
    for name, change in job.parameters.items():
        check(f"parameters.{name}", name)
        if not isinstance(change, Change):
            _check_value(f"parameters.{name}", name, change)
            continue
        if change.value is not None:
            _check_value(f"parameters.{name}.value", name, change.value)
        if change.prior is not None:
            named_prior(name, change.prior)
        if change.fixed and (change.bounds or change.prior):
            raise ConfigError(
                f"parameters.{name}: fixed, with bounds or a prior; expected one or "
                "the other"
            )


def _check_value(place: str, name: str, value: float) -> None:
    if not math.isfinite(value):
        raise ConfigError(f"{place}: {value}; expected a finite number")
    if name in POSITIVE and not value > 0:
        raise ConfigError(f"{place}: {value}; expected above 0")


def _names(job: Any) -> tuple[list[str], set[str]]:
    """Names of parameters, and families whose members only the files tell."""
    m, source = job.model, job.crystal
    known, unclear = list(plain_names(m.psf)), set()
    for family, of in FAMILIES.items():
        members: Any = ()
        if of == "label":
            members = source.sites
            if source.path is not None:
                unclear.add(family)
        elif family.startswith("diskshift"):
            if m.shift_disks:
                unclear.add(family)
        elif m.reflections is not None:
            members = [",".join(map(str, g)) for g in m.reflections]
        elif is_dat(source):
            unclear.add(family)
        known += [f"{family}({member})" for member in members]
    return known, unclear
