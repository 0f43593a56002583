"""Units of small-angle files, as people write them, to 1/Å, 1/cm and lengths.

All are powers of ten of an Ångström, so that one multiplication or division by an
exact number converts and 1/Å and 1/cm come through bit for bit. Spellings: UDUNITS
("1/angstrom", "nm^-1"), canSAS ("1/A"), and what headers of text files hold ("Å⁻¹").
"""

import re

import numpy as np

_POWER = {"fm": -5, "pm": -2, "a": 0, "nm": 1, "um": 4, "mm": 7, "cm": 8, "m": 10}
_LONG_NAMES = {
    r"angstroems?|angstroms?|ang|aa": "a",
    r"nanomet(?:er|re)s?": "nm",
    r"micromet(?:er|re)s?|microns?": "um",
    r"millimet(?:er|re)s?": "mm",
    r"centimet(?:er|re)s?": "cm",
    r"met(?:er|re)s?": "m",
}
_LENGTH = "|".join(_POWER)
_INVERSE = re.compile(
    rf"(?:1/|per|inverse|reciprocal)(?P<below>{_LENGTH})(?:/?sr(?:\^?-1)?)?"
    rf"|(?P<raised>{_LENGTH})\^?-1(?:/sr|sr\^?-1)?"
)
_PER_MASS = re.compile(r"(?P<area>c?m)\^?2(?:/g|g\^?-1)")
_COUNTS = {"count", "counts", "cts"}
_RELATIVE = {"none", "au", "arb", "arbunits", "arbitrary", "arbitraryunits", "relative"}
_RELATIVE |= {"unitless", "dimensionless", "1"}
Q_EXPECTED = "1/A, 1/angstrom, 1/nm, 1/um, 1/cm or 1/m"
I_EXPECTED = "1/cm, 1/m, 1/A (also per sr), cm^2/g, counts or a.u."


def per_angstrom(values: np.ndarray, unit: str) -> np.ndarray | None:
    """`values` of q in 1/Å; None where `unit` is no inverse length."""
    power = _inverse_power(unit)
    if power is None or _plain(unit).count("sr"):
        return None
    return _shifted(values, -power)


def intensity(values: np.ndarray, unit: str) -> tuple[np.ndarray, str] | None:
    """`values` of an intensity and their unit here; None where `unit` is unknown."""
    power = _inverse_power(unit)
    if power is not None:
        return _shifted(values, 8 - power), "1/cm"
    plain = _plain(unit)
    per_mass = _PER_MASS.fullmatch(plain)
    if per_mass:
        return _shifted(values, 4 if per_mass["area"] == "m" else 0), "cm^2/g"
    if plain in _COUNTS:
        return values, "counts"
    return (values, "a.u.") if plain in _RELATIVE else None


def length(value: float, unit: str, to: str) -> float | None:
    """A length in the unit `to` ("a", "cm" or "m"); None where `unit` is no length."""
    power = _POWER.get(_plain(unit))
    if power is None:
        return None
    return float(_shifted(np.asarray(value), power - _POWER[to]))


def looks_like_a_unit(text: str) -> bool:
    """Whether what stands behind a column's name was meant as a unit."""
    known = _plain(text) in _POWER or intensity(np.ones(()), text) is not None
    return known or bool(re.search(r"/|\^|-\s*1\b|⁻", text))


def _inverse_power(unit: str) -> int | None:
    """Power of ten of the length in Å whose inverse `unit` is."""
    found = _INVERSE.fullmatch(_plain(unit))
    return _POWER[found["below"] or found["raised"]] if found else None


def _shifted(values: np.ndarray, power: int) -> np.ndarray:
    """`values` times 10**power, correctly rounded."""
    if power == 0:
        return values
    factor = 10.0 ** abs(power)  # exact up to 1e22
    return np.asarray(values * factor if power > 0 else values / factor)


def _plain(unit: str) -> str:
    text = unit.strip().lower()
    # lower() turns both the letter and the sign of an Ångström into one letter
    text = text.replace("å", "a").replace("µ", "u").replace("μ", "u")
    text = text.replace("⁻¹", "^-1").replace("²", "2").replace("−", "-")
    text = re.sub(r"[\s(){}\[\]*·.$\\_]", "", text.replace("**", "^"))
    for long, short in _LONG_NAMES.items():
        text = re.sub(
            rf"(?<![a-z])(per|inverse|reciprocal)?(?:{long})(?![a-z])",
            rf"\g<1>{short}",
            text,
        )
    return text
