"""Small-angle scattering: form and structure factors, P@S, fits of curves."""

from .catalogue import load_model as load_model
from .catalogue import models as models
from .dataset import from_arrays as from_arrays
from .dataset import from_curve as from_curve
from .dataset import load as load
from .forward import amplitudes as amplitudes
from .forward import intensity as intensity
from .forward import intermediates as intermediates
from .forward import pattern as pattern
from .orientation import n_quad as n_quad
from .problem import problem as problem
from .resolution import Resolution as Resolution
from .resolution import pinhole as pinhole
from .resolution import slit as slit
