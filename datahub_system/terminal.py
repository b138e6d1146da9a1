"""What is printed is read by people and pipes whose encoding may lack a character."""

import io
import sys


def print_what_can_be() -> None:
    """From now on standard output shows `?` for what its encoding lacks, where printing would fail otherwise.

    So it is with `PYTHONIOENCODING=ascii`, a locale without UTF-8, and paths that are no text. Standard error never
    fails.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
