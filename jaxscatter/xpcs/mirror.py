"""The mirror mode of the flow direction: a second optimum at nearly -phi0.

Shear acts through cos²(φ0 - φ). Angles at 0, 45 and 90 degrees tell φ0 from -φ0 by one
of them only, and a slightly different shear rate makes up for most of that.
"""

from ..errors import ModelError
from ..infer import FitResult, fit


def mirror_mode(result: FitResult) -> FitResult:
    """The fit started from the mirror image of another's flow direction.

    Its statistic "delta_chi2" is χ² above that of `result`: below 9, the data hardly
    tell the two directions apart, and chains should start at both. Where it ends at the
    same phi0 there is no second mode.

    Args:
        result: a fit of "laminar_flow" with free phi0 that knows its problem.

    Raises:
        ModelError: there is no free phi0, or the result knows no problem.
    """
    problem = result.problem
    if problem is None:
        raise ModelError("a loaded result holds no model; call result.bind(problem)")
    if "phi0" not in problem.parameters.labels:
        raise ModelError("the fit has no free phi0, so there is no mirror mode")
    turned = {n: result[n] for n in problem.parameters.labels} | {
        "phi0": -result["phi0"]
    }
    other = fit(problem, start=turned, warn=False)
    other.statistics["delta_chi2"] = (
        other.statistics["chi2"] - result.statistics["chi2"]
    )
    return other
