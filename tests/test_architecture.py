"""The rule of imports in CONTRIBUTING.md, read off the syntax tree of every file."""

import ast
import sys
from pathlib import Path

import pytest

import molvae

PACKAGE = Path(molvae.__file__).parent
FLOORS = (
    {"errors"},
    {"bloom", "cache", "config", "normalizer", "store", "vocabulary", "workers"},
    {"chem", "dataset", "device", "model", "targets"},
    {"checkpoint", "data", "evaluate", "generated"},
    {"codes", "drawing", "frames"},
    {"writer"},
    {"generator", "train"},
    {"adapters", "benchmark", "optimize", "serve"},
    {"cli"},
    {"__init__", "__main__"},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
CHEMISTRY = {"chem", "data", "evaluate", "drawing", "frames"}
LEARNING = {"device", "model", "train", "checkpoint"}
STRANGERS = dict.fromkeys(CHEMISTRY, LEARNING) | dict.fromkeys(LEARNING, CHEMISTRY)
CHEMISTS_TOOLS = {"rdkit", "selfies", "pandas", "scipy", "fcd", "pyarrow"}
LEARNERS_TOOLS = {"torch", "tensorboard", "filelock"}
# What a room may import besides the standard library and numpy.
TOOLS = dict.fromkeys(CHEMISTRY, CHEMISTS_TOOLS) | dict.fromkeys(LEARNING, LEARNERS_TOOLS)
TOOLS |= dict.fromkeys(("codes", "generator", "writer"), CHEMISTS_TOOLS | LEARNERS_TOOLS)
TOOLS |= {"store": {"safetensors"}, "data": {*CHEMISTS_TOOLS, "filelock"}}
TOOLS |= {"cli": {"click", "rich", "torch", *CHEMISTS_TOOLS}}
TOOLS |= {"serve": {"fastapi", "uvicorn"}, "optimize": {"cma"}}
TOOLS |= {"evaluate": {*CHEMISTS_TOOLS, "jinja2", "matplotlib"}}
VAGUE = {"utils", "helpers", "common", "core", "base", "misc"}
UNSAFE_MODULES = {"pickle", "marshal", "shelve", "dill", "joblib", "yaml"}
UNSAFE_CALLS = {"eval", "exec", "torch.load", "np.load", "numpy.load", "yaml.load"}


def imported(*nodes: ast.AST) -> set[str]:
    """Return the full name of every module these nodes import; a relative one is its dots."""
    names = {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            face = node.module == "molvae"
            names |= {f"molvae.{a.name}" for a in node.names} if face else {str(node.module)}
    return names - {"molvae.__version__"}


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
    calls = {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    assert calls & UNSAFE_CALLS == set(), "code that runs what a file says"
    if room == "cli":
        light = {"click", "molvae.config", "molvae.errors", "molvae.cli", *sys.stdlib_module_names}
        tops = {name if name in light else name.rpartition(".")[0] for name in imported(*tree.body)}
        assert tops <= light, "import it when called"
