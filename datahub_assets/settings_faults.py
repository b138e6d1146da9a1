"""What is wrong with settings, in words: values that cannot be used, and variables that mean two settings."""

from collections.abc import Iterable, Iterator

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from datahub_assets.datasets.settings_base import declared_in, fields_of, is_secret, named_fields_of, variables_of
from datahub_assets.datasets.spec import DatasetSpec
from datahub_assets.domain.errors import DatasetInvalid


def explain(error: ValidationError, kind: type[BaseModel]) -> Iterator[str]:
    """One line per wrong setting: its name, its value (secrets hidden) and what is valid."""
    for problem in error.errors():
        place = str(problem["loc"][0])
        field = kind.model_fields.get(place) or _field_of_variable(kind, place)
        name = variables_of(field)[0] if field is not None else place
        value = "(hidden)" if field is not None and is_secret(field) else repr(problem["input"])
        message = problem["msg"].removeprefix("Value error, ")
        yield f"{name}={value}: {message}" + (f" ({field.description})" if field is not None else "")


def _field_of_variable(kind: type[BaseModel], variable: str) -> FieldInfo | None:
    return next((field for field in fields_of(kind) if variable in variables_of(field)), None)


def refuse_shared(own: type[BaseModel], specs: Iterable[DatasetSpec]) -> None:
    """See that no variable means two settings; datasets share those of their common type by design.

    Args:
        own: the settings that are no dataset's.

    Raises:
        DatasetInvalid: one line for each variable that several of them read.
    """
    readers: dict[type[BaseModel], str] = {own: "this project"}
    for spec in specs:
        readers.setdefault(spec.settings, f"the dataset {spec.name!r}")
    of_variable: dict[str, dict[type[BaseModel], str]] = {}
    for kind, reader in readers.items():
        for name, field in named_fields_of(kind).items():
            for variable in variables_of(field):
                of_variable.setdefault(variable, {}).setdefault(declared_in(kind, name), reader)
    faults = [
        f"the variable {variable} is a setting of {' and of '.join(told)}: give it another name in one of them"
        for variable, told in ((variable, named.values()) for variable, named in of_variable.items())
        if len(told) > 1
    ]
    if faults:
        raise DatasetInvalid("\n".join(faults))
