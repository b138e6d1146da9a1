"""How the interpreter of a process that serves is set up: what it does not load, and what its collector passes over."""

import gc
import sys
from importlib.machinery import ModuleSpec


def leave_out_pandas() -> None:
    """Let this process do without pandas for good; call it before anything makes Arrow arrays.

    pyarrow 26 imports pandas when it makes its first array or scalar, to know an object of it if it met one: two
    seconds with the interpreter's lock held, and some 60 MiB. It tries only once (pyarrow/pandas-shim.pxi), and does
    not expect the None in `sys.modules` by which Python says that a module is not to be had, and which DuckDB and
    polars go by.
    """
    refused = _NoPandas()
    sys.meta_path.insert(0, refused)
    try:
        import pyarrow as pa  # noqa: PLC0415 - not every process of this project loads it

        pa.scalar(0)
    finally:
        sys.meta_path.remove(refused)
    sys.modules["pandas"] = None  # type: ignore[assignment]


def freeze_what_is_loaded() -> None:
    """Let the garbage collector pass over all there is now, which stays anyway; call it when a server is ready.

    A full collection looks at every object with the interpreter's lock held: 150 to 190 ms for the 165,000 of the API
    and its libraries, several times a minute under load.
    """
    gc.collect()
    gc.freeze()


class _NoPandas:
    """A finder that has no pandas."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        del path, target
        if name == "pandas":
            raise ModuleNotFoundError(f"{name} is left out", name=name)
        return None
