"""Names of the parameters of joined problems, their table and their ties."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import ModelError, ParameterError
from .parameter import Parameter, ParameterSet, tie_arguments
from .static import PureFunction

Names = tuple[tuple[str, str], ...]
"""Pairs of a part's own name and the joint one."""


class Naming(NamedTuple):
    """What parts, their parameters and their amplitudes are called together."""

    parts: tuple[str, ...]
    parameters: tuple[Names, ...]
    amplitudes: tuple[Names, ...]

    @classmethod
    def of(
        cls, problems: Sequence[Any], parts: tuple[str, ...], shared: Any
    ) -> "Naming":
        """Joint names: plain where one part has them or they are shared.

        Raises:
            ParameterError: shared names that no two parts have.
        """
        tables = [p.table.names for p in problems]
        solved = [tuple(a.name for a in p.model.amplitudes) for p in problems]
        every = [{*t, *s} for t, s in zip(tables, solved, strict=True)]
        common = _shared_names(shared, tables, [p.linear for p in problems], parts)

        def joint_name(name: str, part: str) -> str:
            alone = sum(name in own for own in every) == 1
            return name if alone or name in common else f"{name}[{part}]"

        def pairs(all_names: list[tuple[str, ...]]) -> tuple[Names, ...]:
            return tuple(
                tuple((n, joint_name(n, part)) for n in own)
                for own, part in zip(all_names, parts, strict=True)
            )

        return cls(parts, pairs(tables), pairs(solved))


def part_names(problems: Sequence[Any], names: Sequence[str] | None) -> tuple[str, ...]:
    """Names of the parts, their numbers by default.

    Raises:
        ModelError: fewer than two problems, or names that do not tell them apart.
    """
    if len(problems) < 2:
        raise ModelError(f"joint takes two or more problems, not {len(problems)}")
    if names is None:
        return tuple(str(k) for k in range(len(problems)))
    given = (names,) if isinstance(names, str) else tuple(names)
    words = all(isinstance(n, str) and n and not set("[]") & set(n) for n in given)
    if len(given) != len(problems) or len(set(given)) < len(given) or not words:
        raise ModelError(
            f"names is {list(given)}; expected {len(problems)} different words without "
            "brackets, one per problem"
        )
    return given


def _shared_names(
    shared: Any,
    tables: list[tuple[str, ...]],
    linear: list[tuple],
    parts: tuple[str, ...],
) -> set[str]:
    count = {n: sum(n in t for t in tables) for t in tables for n in t}
    if isinstance(shared, bool):
        return {n for n, k in count.items() if k > 1} if shared else set()
    if isinstance(shared, str):
        raise ParameterError(
            f"shared is {shared!r}; expected a sequence, ({shared!r},)"
        )
    for name in shared:
        solved = any(a.name == name for own in linear for a in own)
        if solved:
            raise ParameterError(
                f"shared names {name!r}, an amplitude that is solved for; give its "
                "problems explicit=True to share it"
            )
        if name not in count:
            raise unknown("shared names", name, count)
        if count[name] < 2:
            part = next(p for p, t in zip(parts, tables, strict=True) if name in t)
            raise ParameterError(
                f"shared names {name!r}, which only problem {part!r} has"
            )
    return set(shared)


def unknown(what: str, name: Any, known: Iterable[str]) -> ParameterError:
    """Error of a name that is none, with the nearest one."""
    known = list(known)
    near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
    hint = f", did you mean {near[0]!r}?" if near else ";"
    return ParameterError(
        f"{what} {name!r}, which is not a parameter{hint} there are {known}"
    )


def check_weights(problems: Sequence[Any], parts: tuple[str, ...]) -> None:
    """Refuse data without errors beside others: their weight would be arbitrary.

    Raises:
        ModelError: naming the data without errors.
    """
    bare = [p.likelihood.noise == "known" and not p.given.sigma_given for p in problems]
    if any(bare) and not all(bare):
        lost = [name for name, b in zip(parts, bare, strict=True) if b]
        raise ModelError(
            f"the data of {', '.join(map(repr, lost))} have no errors and the others "
            "do, so their weight would be arbitrary: give sigma, or "
            "likelihood=Gaussian('scale'), which finds it"
        )


def table_of(problems: Sequence[Any], names: Naming) -> ParameterSet:
    """Joint table: each parameter once, by the first part that has it.

    Raises:
        ParameterError: one parameter in several units, or of several numbers of groups.
    """
    out: dict[str, Parameter] = {}
    whose: dict[str, str] = {}
    for problem, part, pairs in zip(
        problems, names.parts, names.parameters, strict=True
    ):
        called = dict(pairs)
        for p in problem.table:
            name = called[p.name]
            if name not in out:
                out[name] = p.with_(name=name, tie=renamed_tie(p.tie, called))
                whose[name] = part
                continue
            first = out[name]
            if first.unit != p.unit:
                raise ParameterError(
                    f"shared {name!r} is in {first.unit!r} in problem {whose[name]!r} "
                    f"and in {p.unit!r} in {part!r}; tie them by a function that "
                    "converts"
                )
            if np.shape(first.value) != np.shape(p.value):
                raise ParameterError(
                    f"shared {name!r} has shape {np.shape(first.value)} in problem "
                    f"{whose[name]!r} and {np.shape(p.value)} in {part!r}: a local "
                    "parameter has one value per group"
                )
    return ParameterSet(out.values())


def renamed_tie(
    tie: str | PureFunction | None, called: Mapping[str, str]
) -> str | PureFunction | None:
    """A part's own tie in joint names."""
    if tie is None or isinstance(tie, str):
        return None if tie is None else called[tie]
    needs = tie_arguments(tie)
    if all(called[n] == n for n in needs):
        return tie
    return PureFunction(tie.function, [called[n] for n in needs])


def tied(table: ParameterSet, ties: Mapping[str, Any]) -> ParameterSet:
    """The table with further ties.

    Raises:
        ParameterError: names that are none, units that differ, cycles.
    """
    changes = []
    for name, tie in ties.items():
        if name not in table:
            raise unknown("ties name", name, table.names)
        p = table[name].with_(tie=tie, fixed=False)
        for need in tie_arguments(p.tie):
            if need not in table:
                raise unknown(f"{name!r} is tied to", need, table.names)
        if isinstance(p.tie, str):
            other = table[p.tie]
            if other.unit != p.unit:
                raise ParameterError(
                    f"{name!r} in {p.unit!r} is tied to {p.tie!r} in {other.unit!r}; "
                    "tie it by a function that converts"
                )
            shapes = np.shape(p.value), np.shape(other.value)
            if np.ndim(other.value) and shapes[0] != shapes[1]:
                raise ParameterError(
                    f"{name!r} of shape {shapes[0]} is tied to {p.tie!r} of shape "
                    f"{shapes[1]}: a local parameter has one value per group"
                )
        changes.append(p)
    return table.replace(*changes)


def changed(table: ParameterSet, changes: Any) -> ParameterSet:
    """The table with parameters changed by name, or another table in its place.

    Raises:
        ParameterError: names or fields that are none.
    """
    if isinstance(changes, ParameterSet):
        missing = [n for n in table.names if n not in changes]
        if missing:
            raise ParameterError(f"the joint table needs parameters {missing}")
        return changes
    new = []
    for name, change in changes.items():
        if isinstance(change, Parameter):
            if change.name != name:
                raise ParameterError(
                    f"parameters give {name!r} a Parameter called {change.name!r}"
                )
            new.append(change)
            continue
        if name not in table:
            raise unknown("parameters name", name, table.names)
        fields = change if isinstance(change, Mapping) else {"value": change}
        new.append(_with_fields(table[name], fields))
    return table.replace(*new)


def _with_fields(p: Parameter, fields: Mapping[str, Any]) -> Parameter:
    """Copy of a parameter; numbers of a local one are taken for every group."""
    shape, wide = np.shape(p.value), dict(fields)
    try:
        if shape and "value" in wide:
            wide["value"] = np.broadcast_to(wide["value"], shape)
        if shape and "bounds" in wide:
            wide["bounds"] = tuple(np.broadcast_to(b, shape) for b in wide["bounds"])
        if shape and wide.get("scale") is not None:
            wide["scale"] = np.broadcast_to(wide["scale"], shape)
        return p.with_(**wide)
    except TypeError as error:
        raise ParameterError(f"{p.name!r}: {error}") from None
