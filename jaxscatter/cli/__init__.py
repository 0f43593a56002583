"""The command line: `jaxscatter demo | run | template | validate | inspect | ...`.

Errors of the user are one line on stderr and exit code 2, failures of a run exit code
1, an interruption 130. Results are written before they are printed.
"""

from .entry import main as main
