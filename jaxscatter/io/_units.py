"""Units that files name in words."""

import re

_ENERGY_UNIT = re.compile(
    r"\b(?:(?P<meV>meV|milli[ -]?e(?:lectron)?[ -]?V(?:olts?)?)"
    r"|(?P<ueV>[uµμ]eV|\\mu ?eV|micro[ -]?e(?:lectron)?[ -]?V(?:olts?)?))(?![A-Za-z])",
)


def stated_energy_unit(text: str) -> str | None:
    """Unit, "meV" or "ueV", if a text names one of them, or None."""
    found = {m.lastgroup for m in _ENERGY_UNIT.finditer(text)}
    return found.pop() if len(found) == 1 else None
