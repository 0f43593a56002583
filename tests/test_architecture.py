"""What every module must keep to, read from the sources."""

import ast
import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = ROOT / "jaxscatter"
MODULES = sorted(PACKAGE.rglob("*.py"))
LONGEST = 500
PRINTS = {"qens/loading.py": "inspect_nxspe"}
"""Functions outside the command line whose job is to print."""


def named(path):
    return path.relative_to(PACKAGE).as_posix()


def parsed(path):
    return ast.parse(path.read_text("utf-8"), str(path))


def public_functions(tree):
    """Functions and methods that others may call, with a dotted name."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, node, False
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and not item.name.startswith("_"):
                    yield f"{node.name}.{item.name}", item, True


def test_imports_point_down():
    """The contracts of pyproject.toml, held by import-linter."""
    pytest.importorskip("importlinter")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports; raise SystemExit(lint_imports("
            "config_filename='pyproject.toml', no_cache=True))",
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_module_says_what_it_is_for(path):
    assert ast.get_docstring(parsed(path))


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_public_names_have_docstrings_and_annotations(path):
    tree = parsed(path)
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), node.name
    for name, node, method in public_functions(tree):
        assert ast.get_docstring(node), name
        assert node.returns is not None, name
        given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        static = any(
            isinstance(d, ast.Name) and d.id == "staticmethod"
            for d in node.decorator_list
        )
        for argument in given[1 if method and not static else 0 :]:
            assert argument.annotation is not None, f"{name}({argument.arg})"


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_module_is_short_enough_to_read(path):
    assert len(path.read_text("utf-8").splitlines()) <= LONGEST


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_only_the_command_line_prints(path):
    if path.is_relative_to(PACKAGE / "cli"):
        return
    allowed = PRINTS.get(named(path))
    for node in parsed(path).body:
        if isinstance(node, ast.FunctionDef) and node.name == allowed:
            continue
        for call in ast.walk(node):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
                assert call.func.id != "print", f"line {call.lineno}"


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_derivatives_can_be_pushed_forward(path):
    """Neither has a forward rule or batching that the engine could use."""
    for node in ast.walk(parsed(path)):
        name = getattr(node, "attr", getattr(node, "id", ""))
        assert name not in ("custom_vjp", "linear_call")


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_errors_are_not_swallowed(path):
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"bare except in line {node.lineno}"


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_module_has_tests_of_its_own_name(path):
    """Private modules and packages' own files are tested through what they serve."""
    if path.name.startswith("_"):
        return
    place = path.relative_to(PACKAGE)
    if place.parent == pathlib.Path("."):
        where = {"errors.py": "test_errors.py", "constants.py": "test_constants.py"}
        assert (ROOT / "tests" / where.get(place.name, f"test_{place.name}")).exists()
        return
    assert (ROOT / "tests" / place.parent / f"test_{place.name}").exists()


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_optional_packages_are_imported_where_they_are_needed(path):
    """canvas.py is the module that figures import when they are made."""
    if named(path) == "plot/canvas.py":
        return
    optional = {"matplotlib", "corner", "arviz", "msgspec", "yaml", "gemmi", "blackjax"}
    for node in parsed(path).body:
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names = [node.module]
        assert not optional & {n.split(".")[0] for n in names}


def test_the_package_that_is_tested_is_this_one():
    spec = importlib.util.find_spec("jaxscatter")
    assert spec is not None
    assert spec.origin is not None
    assert pathlib.Path(spec.origin).resolve() == (PACKAGE / "__init__.py").resolve()


def test_long_tests_that_are_listed_exist():
    """A renamed test would come back among the quick ones without a word."""
    folder = pathlib.Path(__file__).parent
    listed = [
        line
        for line in (folder / "slow_tests.txt").read_text("utf-8").splitlines()
        if not line.startswith("#")
    ]
    assert len(listed) == len(set(listed)) > 0
    for line in listed:
        path, _, name = line.partition("::")
        text = (folder.parent / path).read_text("utf-8")
        assert f"def {name.partition('[')[0]}(" in text, line
