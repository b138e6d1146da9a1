"""The command line, run in this process."""

from click.testing import CliRunner, Result

from datahub_assets.cli import main


def datahub(*arguments: str, env: dict[str, str] | None = None, answer: str | None = None) -> Result:
    return CliRunner().invoke(main, list(arguments), env=dict(env or {}), input=answer)
