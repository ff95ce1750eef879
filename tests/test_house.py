"""The rule of the house (docs/development.md): who may import whom in the package."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "fastiou"
FAMILIES = {"losses", "pairwise", "matching", "nms", "rotated", "pixels"}
#: What the modules of a folder, or a module, may import of the package.
KNOWN = {
    "_names": set(),
    "_dtypes": set(),
    "reference": {"reference", "_names", "_dtypes"},
    "_ops": {"_ops", "reference", "_names", "_dtypes", "_core_module"},
}


def imports(path: Path) -> set[str]:
    """The modules that a module of the package imports, as dotted names below the package."""
    place = path.relative_to(PACKAGE).parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = [*place[: len(place) + 1 - node.level], *(node.module or "").split(".")]
            names = [""] if node.module else [name.name for name in node.names]
            found |= {".".join(part for part in (*base, name) if part) for name in names}
    return found


def modules(role: str) -> list[Path]:
    return sorted((PACKAGE / role).glob("*.py")) or [PACKAGE / f"{role}.py"]


@pytest.mark.parametrize("role", KNOWN)
def test_a_layer_knows_what_is_below(role):
    for path in modules(role):
        unknown = {name for name in imports(path) if name.split(".")[0] not in KNOWN[role]}
        assert not unknown, f"{path.relative_to(PACKAGE)} imports {unknown}"


def test_families_of_operators_do_not_know_each_other():
    for path in modules("_ops"):
        if path.stem in FAMILIES:
            others = {name.split(".")[-1] for name in imports(path)} & FAMILIES
            assert not others, f"{path.relative_to(PACKAGE)} imports {others}"
