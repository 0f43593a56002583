"""Convergent-beam electron diffraction: Bloch waves and structure-factor refinement."""
