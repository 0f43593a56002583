"""Parameters, priors, data, amplitudes, likelihood and the problem that joins them."""

from . import prior as prior
from .amplitudes import Amplitude as Amplitude
from .bare_cost import BareCost as BareCost
from .bare_cost import bare_cost as bare_cost
from .coordinates import Coordinates as Coordinates
from .dataset import Dataset as Dataset
from .interface import AbstractProblem as AbstractProblem
from .joint import JointProblem as JointProblem
from .joint import joint as joint
from .likelihood import Gaussian as Gaussian
from .likelihood import Likelihood as Likelihood
from .likelihood import Poisson as Poisson
from .model import AbstractModel as AbstractModel
from .model import Arrangement as Arrangement
from .model import BlockSums as BlockSums
from .model import FunctionModel as FunctionModel
from .model import SamplingCoordinates as SamplingCoordinates
from .model import model as model
from .parameter import Parameter as Parameter
from .parameter import ParameterSet as ParameterSet
from .problem import Normal as Normal
from .problem import Problem as Problem
from .streamed import StreamedDataset as StreamedDataset
