"""The tree keeps its shape: small rooms, one meaning for a name, SQL and dependencies in their place, plain words."""

import ast
import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("datahub_assets", "api", "localhub", "datahub_system")
MOST_MODULES = 14


@cache
def modules() -> dict[Path, ast.Module]:
    """The product's modules and their syntax trees."""
    return {path: ast.parse(path.read_text()) for name in PACKAGES for path in sorted((ROOT / name).rglob("*.py"))}


def test_no_room_is_a_drawer() -> None:
    rooms = defaultdict(list)
    for path in modules():
        rooms[path.parent].append(path.name)
    assert {str(room.relative_to(ROOT)): len(names) for room, names in rooms.items() if len(names) > MOST_MODULES} == {}


def test_a_class_name_means_one_thing() -> None:
    homes = defaultdict(set)
    for path, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                homes[node.name.lstrip("_")].add(f"{path.relative_to(ROOT)}: {node.name}")
    assert {name: sorted(places) for name, places in homes.items() if len(places) > 1} == {}


SQL_ROOMS = ("datahub_assets/stores", "api/engine", "api/sql", "localhub/store")
"""Where statements may stand: the stores, and what runs DuckDB."""
_STATEMENT = re.compile(
    r"\s*(SELECT\s.*\sFROM|INSERT\s+(OR\s+\w+\s+)?INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|PRAGMA\s)", re.DOTALL
)


def test_sql_stands_in_the_stores_and_the_engine_only() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in modules().items()
        if not str(path.relative_to(ROOT)).startswith(SQL_ROOMS)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _STATEMENT.match(node.value)
        if not _is_docstring(tree, node)
    ]
    assert found == []


def _is_docstring(tree: ast.Module, node: ast.Constant) -> bool:
    return any(isinstance(one, ast.Expr) and one.value is node for one in ast.walk(tree))


def test_the_database_of_the_cache_is_used_in_its_room_only() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in modules().items()
        if str(path.relative_to(ROOT)).startswith("datahub_assets/")
        if not str(path.relative_to(ROOT)).startswith("datahub_assets/stores/cache/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "database"
    ]
    assert found == []


IMPORT_NAMES = {"prometheus-client": "prometheus_client", "pyyaml": "yaml"}
"""Of distributions whose packages are called otherwise."""
NOT_IMPORTED = {
    "dagster-webserver": "imported as dagster_webserver",
    "datasets": "for `load_dataset` over what is published here, as the README shows",
    "flask-openapi-scalar": "its files are served",
    "flask-openapi-swagger": "its files are served",
    "socksio": "httpx loads it for SOCKS proxies",
    "uvicorn": "also for what its extra brings",
}


def _imported() -> set[str]:
    """First parts of the names of all modules the product imports, but its own and Python's."""
    names = set()
    for tree in modules().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.partition(".")[0])
    return names - set(PACKAGES) - sys.stdlib_module_names


def _declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {re.split(r"[=<>\[;! ]", entry)[0] for entry in project["dependencies"]}


def test_what_is_declared_is_used_and_what_is_used_is_declared() -> None:
    declared = {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in _declared()}
    unused = declared - _imported() - {name.replace("-", "_") for name in NOT_IMPORTED}
    assert (sorted(unused), sorted(_imported() - declared)) == ([], [])


METAPHORS = r"newcomer|rehears|nursery|autopsy|bury|buried|stray|told_to_|lasting|recall|workshop|last_words|lanes?\b"


def _names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def test_names_are_the_fields_words() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path, tree in modules().items()
        for name in (path.stem, *_names(tree))
        if re.search(METAPHORS, name, re.IGNORECASE)
    }
    assert sorted(found) == []


@pytest.mark.parametrize("phrase", ["not known here", "decided elsewhere", "hung up on", "let go", "No HTTP here"])
def test_docstrings_say_what_a_module_holds(phrase: str) -> None:
    """What a module must not hold is said by the import contracts."""
    assert [str(path.relative_to(ROOT)) for path in modules() if phrase in path.read_text()] == []


def test_importing_the_api_loads_neither_dagster_nor_an_upstream_client() -> None:
    code = (
        "import sys, api.asgi; loaded = [name for name in sys.modules if name.partition('.')[0] == 'dagster' "
        "or name.startswith(('datahub_assets.sources', 'datahub_assets.stores', 'datahub_assets.defs')) "
        "or (name.startswith('datahub_assets.datasets.') and {'archive', 'client', 'asset'} & set(name.split('.')))]; "
        "sys.exit(str(loaded) if loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


DATASETS = ROOT / "datahub_assets" / "datasets"


def test_commands_that_need_no_rows_load_nothing_that_computes_them() -> None:
    code = (
        "import sys, datahub_assets.cli; loaded = {'polars', 'pyarrow', 'duckdb', 'dagster'} & set(sys.modules); "
        "sys.exit(str(loaded) if loaded else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_contracts_name_every_package_of_the_workers() -> None:
    """Layers cannot be `exhaustive` where they take no wildcards for the datasets: this finds what they leave out."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(one["layers"] for one in contracts if one["name"].startswith("workers:"))
    named = {name for layer in layers for name in re.split(r"[\s:|]+", layer) if name}
    modules_there = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in modules()
        if path.is_relative_to(ROOT / "datahub_assets") and path.name != "__init__.py"
        if not path.parent.is_relative_to(DATASETS) or path.parent == DATASETS
    }
    unnamed = {one for one in modules_there if not any(one == name or one.startswith(f"{name}.") for name in named)}
    assert sorted(unnamed) == []
    assert [name for name in named if not any(one == name or one.startswith(f"{name}.") for one in modules_there)] == []


@pytest.mark.parametrize("package", sorted(path.parent.name for path in DATASETS.glob("*/spec.py")))
def test_no_dataset_knows_another(package: str) -> None:
    others = {path.parent.name for path in DATASETS.glob("*/spec.py")} - {package}
    known = {f"datahub_assets.datasets.{other}" for other in others}
    found = [
        f"{path.relative_to(ROOT)}: {node.module}"
        for path, tree in modules().items()
        if path.is_relative_to(DATASETS / package)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(tuple(known))
    ]
    assert found == []
