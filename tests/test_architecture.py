"""The rule of imports in CONTRIBUTING.md, read off the syntax tree of every file."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import molvae

PACKAGE = Path(molvae.__file__).parent
FLOORS = (
    {"errors", "training_index", "version"},
    {"arguments"},
    {"chem", "config", "files", "normalizer", "parallel", "vocabulary"},
    {"dataset", "model", "presets", "targets"},
    {"checkpoint", "data", "evaluate"},
    {"generation", "train"},
    {"generator"},
    {"optimize"},
    {"adapters", "suites"},
    {"cli"},
    {"__init__", "__main__"},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
CHEMISTRY = {"chem", "data", "evaluate"}
# Where the two worlds meet.
BRIDGE = {"generation", "generator"}
LEARNING = {"model", "train", "checkpoint"}
STRANGERS = dict.fromkeys(CHEMISTRY, LEARNING) | dict.fromkeys(LEARNING, CHEMISTRY)
CHEMISTS_TOOLS = {"rdkit", "selfies", "pandas", "scipy", "fcd", "pyarrow"}
LEARNERS_TOOLS = {"torch", "tensorboard", "filelock"}
# What a room may import besides the standard library and numpy.
TOOLS = dict.fromkeys(CHEMISTRY, CHEMISTS_TOOLS) | dict.fromkeys(LEARNING, LEARNERS_TOOLS)
TOOLS |= dict.fromkeys(BRIDGE, CHEMISTS_TOOLS | LEARNERS_TOOLS)
TOOLS |= {
    "files": {"safetensors", "filelock", "platformdirs"},
    "data": {*CHEMISTS_TOOLS, "filelock"},
}
TOOLS |= {"cli": {"click", "packaging", "rich", "torch", *CHEMISTS_TOOLS}}
TOOLS |= {"parallel": {"distributed"}}
TOOLS |= {"evaluate": {*CHEMISTS_TOOLS, "jinja2", "matplotlib"}}
TOOLS |= {"suites": {"rdkit", "scipy", "torch"}}
TOOLS |= {"optimize": {"rdkit", "scipy", "torch"}, "adapters": {"rdkit"}}
VAGUE = {"utils", "helpers", "common", "core", "base", "misc"}
UNSAFE_MODULES = {"pickle", "_pickle", "cloudpickle", "marshal", "shelve", "dill", "joblib"}
UNSAFE_MODULES |= {"yaml", "builtins"}
# What runs code that a file brings, or a shell; `unsafe` finds them under any name.
UNSAFE = {"eval", "exec", "compile", "__import__", "__builtins__", "os.system", "os.popen"}
UNSAFE |= {"torch.load", "torch.jit.load", "torch.hub.load", "numpy.load", "pandas.read_pickle"}
UNSAFE_SWITCHES = {"shell", "allow_pickle"}  # of any call, unless they are False


def test_the_root_stays_small() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 14, "give the file a room"


MANY = 10  # parameters; more want a record
# What users call: every argument has a default and a meaning of its own.
PUBLIC = {"MoleculeGenerator.generate", "MoleculeGenerator.neighbors", "MoleculeGenerator.augment"}
PUBLIC |= {"evaluate", "optimize"}


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    """Yield every function with its name, that of its class before it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef):
            yield f"{prefix}{node.name}", node
        inside = f"{node.name}." if isinstance(node, ast.ClassDef) else prefix
        yield from functions(node, inside)


def is_click_command(function: ast.FunctionDef) -> bool:
    return any("click." in ast.unparse(each) for each in function.decorator_list)


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_no_function_takes_more_arguments_than_a_reader_can_hold(path: Path) -> None:
    many = []
    for name, function in functions(ast.parse(path.read_text(encoding="utf-8"))):
        arguments = function.args
        given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        taken = sum(each.arg not in ("self", "cls") for each in given)
        if taken > MANY and name not in PUBLIC and not is_click_command(function):
            many.append(f"{name}: {taken}")
    assert many == [], "give what goes together a record"


def test_contributing_shows_the_floors() -> None:
    text = (PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    lines = text.partition("```\n")[2].partition("```")[0].splitlines()
    shown = [set(line.partition("   ")[0].split()) for line in reversed(lines)]
    assert shown == list(FLOORS[:-1]), "show the same floors in CONTRIBUTING.md"


def imported(*nodes: ast.AST) -> set[str]:
    """Return the full name of every module these nodes import; a relative one is its dots."""
    names = {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            face = node.module == "molvae"
            names |= {f"molvae.{a.name}" for a in node.names} if face else {str(node.module)}
    return names


def breaches(room: str, name: str) -> bool:
    """Tell whether `room` may not import `name`."""
    top, _, rest = name.partition(".")
    if top != "molvae":
        allowed = {"numpy", *sys.stdlib_module_names, *TOOLS.get(room, ())} - UNSAFE_MODULES
        return top not in allowed
    other = rest.partition(".")[0]  # a public name of the package's face is on no floor
    higher = other not in FLOOR or FLOOR[other] >= FLOOR[room]
    return (other != room and higher) or other in STRANGERS.get(room, ())


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_file_keeps_the_rule(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert room in FLOOR, f"give molvae/{room} a floor, here and in CONTRIBUTING.md"
    assert path.stem not in VAGUE, "find the noun that is missing"
    if path.parent != PACKAGE and path.stem == "__init__":
        assert [type(node) for node in tree.body] == [ast.Expr], "a docstring and nothing else"
    assert [name for name in imported(*ast.walk(tree)) if breaches(room, name)] == []
    if room == "cli":
        light = {"click", *sys.stdlib_module_names}
        light |= {
            f"molvae.{name}"
            for name in (
                "arguments",
                "cli",
                "cli.commands",
                "config",
                "errors",
                "presets",
                "version",
            )
        }
        tops = {name if name in light else name.rpartition(".")[0] for name in imported(*tree.body)}
        assert tops <= light, "import it when called"


def unsafe(tree: ast.AST) -> set[str]:
    """Return what in a file could run code that a file brings, by whatever name it goes there."""
    alias = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            alias |= {a.asname: a.name for a in node.names if a.asname}
        elif isinstance(node, ast.ImportFrom):
            alias |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}

    def full(node: ast.AST) -> str:
        top, dot, rest = ast.unparse(node).partition(".")
        return f"{alias.get(top, top)}{dot}{rest}"

    found = {full(node) for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Attribute)}
    found |= {name.partition(".")[0] for name in imported(*ast.walk(tree))}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if full(call.func) == "getattr" and isinstance(call.args[1], ast.Constant):
            found.add(f"{full(call.args[0])}.{call.args[1].value}")
        found |= {str(k.arg) for k in call.keywords if ast.unparse(k.value) != "False"}
    return found & (UNSAFE | UNSAFE_MODULES | UNSAFE_SWITCHES)


def is_python(path: Path) -> bool:
    """Tell by the ending, or by the first line where there is none."""
    if path.suffix or not path.is_file():
        return path.suffix == ".py"
    return re.match(rb"#!.*python", path.read_bytes()) is not None


ROOT = PACKAGE.parent
SOURCES = [
    path for room in ("molvae", "scripts", "benchmarks") for path in (ROOT / room).rglob("*")
]


@pytest.mark.parametrize(
    "path", sorted(filter(is_python, SOURCES)), ids=lambda p: str(p.relative_to(ROOT))
)
def test_nothing_that_a_file_brings_is_run(path: Path) -> None:
    assert unsafe(ast.parse(path.read_text(encoding="utf-8"))) == set()


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("import pickle", "pickle"),
        ("from pickle import loads", "pickle"),
        ("import yaml.loader", "yaml"),
        ("import torch\ntorch.load(path)", "torch.load"),
        ("import torch as t\nt.load(path, weights_only=True)", "torch.load"),
        ("from torch import load as read\nread(path)", "torch.load"),
        ("import torch.jit\ntorch.jit.load(path)", "torch.jit.load"),
        ("import numpy as np\nread = np.load", "numpy.load"),
        ("import torch\ngetattr(torch, 'load')(path)", "torch.load"),
        ("np.lib.format.read_array(file, allow_pickle=True)", "allow_pickle"),
        ("eval(text)", "eval"),
        ("run = exec", "exec"),
        ("getattr(__builtins__, 'ev' + 'al')(text)", "__builtins__"),
        ("import builtins\nbuiltins.eval(text)", "builtins"),
        ("from os import system\nsystem(text)", "os.system"),
        ("import subprocess\nsubprocess.run(text, shell=True)", "shell"),
    ],
)
def test_what_runs_code_is_found_under_any_name(code: str, what: str) -> None:
    assert what in unsafe(ast.parse(code))


def test_what_only_looks_alike_is_left_alone() -> None:
    code = "model.eval(); re.compile(x); json.load(file); run(words, shell=False); self.load(path)"
    assert unsafe(ast.parse(code)) == set()
