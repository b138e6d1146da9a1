"""The two datasets of `tests/datasets/installed`, without installing them: the registry does not list them here."""

import sys
from importlib import import_module
from pathlib import Path

from datahub_assets.datasets.registry import DATASETS
from datahub_assets.datasets.spec import DatasetSpec

INSTALLED = Path(__file__).with_name("installed")


def _spec(package: str) -> DatasetSpec:
    assert package.removeprefix("field_") not in DATASETS, "the registry was read before the path is changed"
    sys.path.insert(0, str(INSTALLED))
    try:
        spec = import_module(f"{package}.spec").SPEC
    finally:
        sys.path.remove(str(INSTALLED))
    assert isinstance(spec, DatasetSpec)
    return spec


INCIDENTS = _spec("field_incidents")
RECEIPTS = _spec("field_receipts")
