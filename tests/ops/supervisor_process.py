"""Runs a real supervisor over tiny processes given on the command line as NAME=CODE; prints what it says. For tests."""

import os
import re
import sys
from pathlib import Path

from datahub_assets.ops.supervise.logs import Redactor
from datahub_assets.ops.supervise.process import ProcessSpec, RestartDelay
from datahub_assets.ops.supervise.supervisor import Supervisor


def main(logs: str, *processes: str) -> None:
    """Each CODE is Python; a process is ready when it prints `ready`. A name ending in `2` waits for the first one."""
    specs: list[ProcessSpec] = []
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    for process in processes:
        name, _, code = process.partition("=")
        specs.append(
            ProcessSpec(
                name=name,
                argv=(sys.executable, "-u", "-c", code),
                env={"PATH": os.environ["PATH"]},
                ready_line=re.compile(r"^ready"),
                after=(specs[0].name,) if name.endswith("2") else (),
                stop_wave=1 if name.startswith("hub") else 0,
                terse=lambda line: line if line.startswith("say") else None,
            )
        )

    def say(name: str, line: str) -> None:
        sys.stdout.write(f"{name}: {line}\n")

    Supervisor(
        specs,
        logs=Path(logs),
        say=say,
        redact=Redactor(["hf_verysecret"]),
        on_ready=lambda: say("datahub", "all ready"),
        backoff=lambda: RestartDelay(first_s=0.1, longest_s=0.3, stable_s=60),
        wave_s=1.0,
    ).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
