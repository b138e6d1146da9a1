"""`datahub`, also as `python -m datahub_assets`. A dataset that is no valid one ends it with a plain line."""

import sys

from datahub_assets.domain.errors import DatasetInvalid


def main() -> None:
    """Run the command line; it loads every dataset, those of installed packages as well."""
    try:
        from datahub_assets.cli import main as command_line  # noqa: PLC0415 - what it loads may not be valid
    except DatasetInvalid as error:
        sys.stderr.writelines(f"datahub: {line}\n" for line in str(error).splitlines())
        sys.exit(2)
    command_line(prog_name="datahub")


if __name__ == "__main__":
    main()
