"""Quasi-elastic neutron scattering: S(Q, ω) of diffusing and rotating molecules.

Units: energies and half widths meV, Q 1/Å, D Å²/ps, rotational D 1/ps, ⟨u²⟩ Å².
"""

from ..numerics import voigt as voigt
from .bayes import MapEstimate as MapEstimate
from .bayes import bins_problem as bins_problem
from .bayes import find_map as find_map
from .bayes import gelman_rubin as gelman_rubin
from .bayes import log_likelihood as log_likelihood
from .bayes import log_posterior as log_posterior
from .bayes import log_prior as log_prior
from .bayes import run_mcmc as run_mcmc
from .bayes import summarise as summarise
from .bayes import summarise_samples as summarise_samples
from .catalogue import ForwardModel as ForwardModel
from .catalogue import available_models as available_models
from .catalogue import get_model as get_model
from .catalogue import predict_sqw as predict_sqw
from .catalogue import register_model as register_model
from .config import Config as Config
from .dataset import from_bins as from_bins
from .dataset import load as load
from .export import save_grp as save_grp
from .forward import QensModel as QensModel
from .hwhm import extract_hwhm as extract_hwhm
from .hwhm import save_hwhm_csv as save_hwhm_csv
from .lineshapes import GAMMA_FLOOR as GAMMA_FLOOR
from .lineshapes import debye_waller as debye_waller
from .lineshapes import gnorm as gnorm
from .lineshapes import lorentz as lorentz
from .lineshapes import lorentz_sum as lorentz_sum
from .loading import compute_q_from_2theta as compute_q_from_2theta
from .loading import inspect_nxspe as inspect_nxspe
from .loading import load_dataset as load_dataset
from .loading import read_nxspe as read_nxspe
from .loading import read_nxspe_with_overrides as read_nxspe_with_overrides
from .loading import read_run as read_run
from .problem import models as models
from .problem import problem as problem
from .problem import simulate as simulate
from .reduction import assign_resolution as assign_resolution
from .reduction import build_data_bins as build_data_bins
from .reduction import build_resolution_bins as build_resolution_bins
from .reduction import build_row_bins as build_row_bins
from .reduction import fit_elastic_peak as fit_elastic_peak
from .reduction import subtract_empty as subtract_empty
from .resolution import GaussianResolution as GaussianResolution
from .resolution import resolution as resolution
from .rotation import anisotropic_rotor as anisotropic_rotor
from .rotation import bessel_weights as bessel_weights
from .rotation import isotropic_rotor as isotropic_rotor
from .rotation import rot_widths_anisotropic as rot_widths_anisotropic
from .rotation import rot_widths_isotropic as rot_widths_isotropic
from .translation import ce_hwhm as ce_hwhm
from .translation import fickian_hwhm as fickian_hwhm
from .translation import ss_hwhm as ss_hwhm
