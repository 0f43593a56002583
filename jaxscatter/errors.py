"""Errors and warnings of jaxscatter: each message says what, where and what to do."""


class JaxscatterError(Exception):
    """Base of every error raised on purpose."""


class ParameterError(JaxscatterError, ValueError):
    """A parameter's bounds, value, tie or name cannot be used."""


class PriorError(JaxscatterError, ValueError):
    """A prior is missing, improper or incompatible with the bounds."""


class DataError(JaxscatterError, ValueError):
    """A dataset's shapes, values or errors cannot be used."""


class ModelError(JaxscatterError, ValueError):
    """A model gave the wrong shape or type, or was asked for what it cannot do."""


class FormatError(JaxscatterError, ValueError):
    """A file is not what its reader expects."""


class ConfigError(JaxscatterError, ValueError):
    """A job file or configuration has a wrong key or value."""


class FitError(JaxscatterError, RuntimeError):
    """A fit could not start or broke down."""


class SamplingError(JaxscatterError, RuntimeError):
    """A sampler could not start or broke down."""


class DeviceError(JaxscatterError, RuntimeError):
    """A device or its precision cannot do what was asked."""


class DataWarning(UserWarning):
    """Data were masked or look suspicious."""


class FitWarning(UserWarning):
    """A fit's result needs care."""


class SamplingWarning(UserWarning):
    """A posterior sample needs care."""
