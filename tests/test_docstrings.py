"""Check that all public names are documented."""

import ast
import dataclasses
import importlib
import inspect
import re
from functools import cached_property
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("nasbench", "data", "blackbox", "oneshot")


def stubs():
    """Yield the packages that have a stub of public names, and its path."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("__init__.pyi")):
            yield ".".join(path.relative_to(ROOT).parent.parts), path


def public_names():
    for package, path in stubs():
        for line in path.read_text().splitlines():
            if line.startswith("from "):
                yield package, line.split()[3]


def documented_objects(name, value):
    """Yield a public class or function, and the public methods and properties of a class."""
    yield name, value
    if inspect.isclass(value):
        for attribute in dir(value):
            member = inspect.getattr_static(value, attribute)
            defined = next(base for base in value.__mro__ if attribute in vars(base))
            is_ours = defined.__module__.split(".")[0] in ("nasbench", "data", "blackbox", "oneshot")
            kinds = (classmethod, staticmethod, property, cached_property)
            if not attribute.startswith("_") and is_ours and (callable(member) or isinstance(member, kinds)):
                yield f"{name}.{attribute}", getattr(value, attribute) if callable(member) else member


def cases():
    for package, name in public_names():
        value = getattr(importlib.import_module(package), name)
        if inspect.isclass(value) or inspect.isfunction(value):
            for label, member in documented_objects(f"{package}.{name}", value):
                yield pytest.param(member, id=label)


def parameters(value):
    """Return the parameters of a call, without fields of dataclasses and tuples (tested below)."""
    if isinstance(value, (property, cached_property)):
        return []
    if inspect.isclass(value) and (
        dataclasses.is_dataclass(value) or issubclass(value, (BaseException, tuple))
    ):
        return []
    value = value.__func__ if isinstance(value, (classmethod, staticmethod)) else value
    return [name for name in inspect.signature(value).parameters if name not in ("self", "cls")]


@pytest.mark.parametrize("value", [*cases()])
def test_public_names_document_their_parameters(value):
    """Parameters are in a Parameters section, or named in a docstring of one line."""
    text = inspect.getdoc(value)
    assert text
    assert text.splitlines()[0].endswith(".")
    names = parameters(value)
    if names and "\n" in text.strip():
        assert "Parameters\n----------\n" in text
    section = re.search(r"Parameters\n-+\n(.*?)(?=\n\n\w+\n-+\n|\Z)", text, re.DOTALL)
    described = section[1] if section else text
    lost = [name for name in names if not re.search(rf"\b{name}s?\b", described)]
    assert not lost, f"not described: {', '.join(lost)}"


def fields_without_comment(path):
    """Yield the public fields of public dataclasses and named tuples without a `#:` comment."""
    lines = path.read_text().splitlines()
    for node in ast.walk(ast.parse("\n".join(lines))):
        if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
            continue
        decorators = [ast.unparse(decorator).split("(")[0] for decorator in node.decorator_list]
        bases = [ast.unparse(base).split("[")[0] for base in node.bases]
        if "dataclass" not in decorators and not {"NamedTuple", "TypedDict"} & set(bases):
            continue
        for field in node.body:
            if not isinstance(field, ast.AnnAssign) or "ClassVar" in ast.unparse(field.annotation):
                continue
            has_help = field.value is not None and ast.unparse(field.value).startswith("option(")
            name = ast.unparse(field.target)
            is_described = (
                lines[field.lineno - 2].strip().startswith("#:") or "  #: " in lines[field.lineno - 1]
            )
            if not (name.startswith("_") or has_help or is_described):
                yield f"{node.name}.{name}"


@pytest.mark.parametrize("package", PACKAGES)
def test_fields_of_public_classes_have_comments(package):
    for path in sorted((ROOT / package).rglob("*.py")):
        assert not list(fields_without_comment(path)), path


def test_there_are_names_and_fields_to_look_at():
    assert len(list(cases())) > 400
    assert dataclasses.is_dataclass(importlib.import_module("data").Images)
