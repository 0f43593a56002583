"""Job files: one analysis in YAML, checked before anything is computed.

A job names a technique, its data, a model, and a fit and/or a posterior sample; the
keys of each section are the arguments of the technique's doors, so that nothing has two
names. Paths are relative to the job file. An unknown key is an error that names its
place and the nearest known one. Configurations of homodyne are known by their content.

Units: those of the technique.
"""

from .homodyne_job import HomodyneJob as HomodyneJob
from .parts import EXAMPLE as EXAMPLE
from .parts import AbstractJob as AbstractJob
from .parts import Change as Change
from .parts import Fit as Fit
from .parts import Sample as Sample
from .reading import MODES as MODES
from .reading import TECHNIQUES as TECHNIQUES
from .reading import need_technique as need_technique
from .reading import parse as parse
from .reading import read as read
from .reading import template as template
from .xpcs_job import Simulation as Simulation
