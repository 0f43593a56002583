"""What rides along with a pytree without deciding what recompiles."""

import dis
import functools
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np


class Note:
    """Free payload of an object: titles, file names, documentation.

    All notes are equal, so a dataset with another title does not recompile. Nothing
    inside jit may read one.
    """

    __slots__ = ("content",)

    def __init__(self, content: Any = None):
        self.content = content

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Note)

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return f"Note({self.content!r})"


class PureFunction:
    """A user's function, equal to another of the same code, captures and globals.

    A `lambda` written in a loop or a notebook cell is a new object each time; comparing
    what it does instead of what it is keeps one compilation. Values are compared as
    they were when the object was made: a global changed later needs a new object.

    Args:
        function: pure.
        arguments: what its arguments are called, where not as in its signature.
    """

    __slots__ = ("_key", "arguments", "function")

    def __init__(self, function: Callable, arguments: Iterable[str] | None = None):
        self.function = function
        self.arguments = None if arguments is None else tuple(arguments)
        self._key = _key(function, ())
        if self.arguments is not None:
            self._key = ("named", self.arguments, self._key)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Value of the function."""
        return self.function(*args, **kwargs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PureFunction) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


class _Same:
    """An object compared by identity, and kept alive so that its id stays its own."""

    __slots__ = ("content",)

    def __init__(self, content: Any):
        self.content = content

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and self.content is other.content

    def __hash__(self) -> int:
        return id(self.content)


def _key(value: Any, seen: tuple[int, ...]) -> Any:
    """Hashable stand-in for a captured value: equal keys mean the same behaviour."""
    if id(value) in seen:
        return "recursion", seen.index(id(value))
    seen = (*seen, id(value))
    if isinstance(value, PureFunction):
        return value._key
    if isinstance(value, types.FunctionType):
        names = sorted({*_names(value.__code__)} & value.__globals__.keys())
        used = {n: value.__globals__[n] for n in names}
        # functions of other modules do not change under our feet
        own = {n: _elsewhere(v, value.__globals__) for n, v in used.items()}
        captured = (
            *(_key(_content(cell), seen) for cell in value.__closure__ or ()),
            *(_key(v, seen) for v in value.__defaults__ or ()),
            *((k, _key(v, seen)) for k, v in (value.__kwdefaults__ or {}).items()),
            *((n, _key(v, seen)) for n, v in own.items()),
        )
        return "function", value.__code__, captured
    if hasattr(value, "__func__") and hasattr(value, "__self__"):  # bound methods
        return "method", _key(value.__func__, seen), _key(value.__self__, seen)
    if isinstance(value, functools.partial):
        parts = (value.func, value.args, value.keywords)
        return "partial", *(_key(part, seen) for part in parts)
    if isinstance(value, np.ndarray | np.generic) and value.dtype != object:
        return "array", value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, bool | int | float | complex | str | bytes | None):
        return type(value), repr(value)
    if type(value) is tuple or type(value) is list:
        return type(value), *(_key(v, seen) for v in value)
    if type(value) is dict:
        return dict, *((_key(k, seen), _key(v, seen)) for k, v in value.items())
    return value if isinstance(value, _Same) else _Same(value)


def _elsewhere(value: Any, module: dict[str, Any]) -> Any:
    foreign = isinstance(value, types.FunctionType) and value.__globals__ is not module
    return _Same(value) if foreign else value


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # a name not bound yet
        return None


def _names(code: types.CodeType) -> Iterator[str]:
    """Names that a code object, or one nested in it, looks up as globals."""
    for instruction in dis.get_instructions(code):
        if instruction.opname == "LOAD_GLOBAL":
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)
