"""Small-angle scattering: form and structure factors, P@S, fits of curves."""

from .catalogue import load_model as load_model
from .catalogue import models as models
from .dataset import from_arrays as from_arrays
from .dataset import from_curve as from_curve
from .dataset import load as load
from .export import save as save
from .forward import amplitudes as amplitudes
from .forward import intensity as intensity
from .forward import intermediates as intermediates
from .forward import pattern as pattern
from .orientation import n_quad as n_quad
from .problem import problem as problem
from .resolution import PlaneResolution as PlaneResolution
from .resolution import Resolution as Resolution
from .resolution import pinhole as pinhole
from .resolution import pinhole_plane as pinhole_plane
from .resolution import slit as slit
from .simulate import simulate as simulate
from .size_distribution import SizeDistribution as SizeDistribution
from .size_distribution import by_evidence as by_evidence
from .size_distribution import size_distribution as size_distribution
from .size_distribution import size_distribution_problem as size_distribution_problem
