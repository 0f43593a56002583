"""X-ray photon correlation spectroscopy: two-time correlation of diffusion and flow."""

from .angles import in_range as in_range
from .angles import normalised as normalised
from .angles import selected as selected
from .correlation import c2 as c2
from .correlation import g1_diffusion as g1_diffusion
from .correlation import g1_shear as g1_shear
from .correlation import shape as shape
from .correlation import shear_phase as shear_phase
from .dataset import from_matrices as from_matrices
from .dataset import load as load
from .dataset import to_matrices as to_matrices
from .diagonal import corrected_diagonal as corrected_diagonal
from .parameters import Violation as Violation
from .parameters import all_names as all_names
from .parameters import canonical as canonical
from .parameters import count as count
from .parameters import parameter_set as parameter_set
from .parameters import physical_names as physical_names
from .parameters import violations as violations
from .problem import models as models
from .problem import problem as problem
from .scaling import quantile_scaling as quantile_scaling
from .transport import cumulative_rate as cumulative_rate
from .transport import shear_rate as shear_rate
from .transport import stokes_einstein as stokes_einstein
from .transport import transport_coefficient as transport_coefficient
