"""Fits, posteriors, diagnostics and results; knows a Problem, no technique."""

from .batch import fit_batch as fit_batch
from .batch_result import BatchResult as BatchResult
from .combine import CombinedFit as CombinedFit
from .combine import combine_fits as combine_fits
from .consensus import consensus as consensus
from .devices import enable_cache as enable_cache
from .devices import initialize as initialize
from .devices import shard as shard
from .files import load_result as load_result
from .files import save as save
from .least_squares import fit as fit
from .multistart import multistart as multistart
from .posterior_mode import laplace as laplace
from .posterior_mode import map_fit as map_fit
from .profile import Profile as Profile
from .profile import profile as profile
from .progress import Event as Event
from .providers import streamed as streamed
from .result import FitResult as FitResult
from .result import SampleResult as SampleResult
from .sampling import sample as sample
from .shards import split_groups as split_groups
