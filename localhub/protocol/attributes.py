"""Which files go through LFS and which are ignored: .gitattributes and .gitignore, as git reads them."""

from localhub.errors import bad_request
from localhub.protocol.patterns import matching_paths

REGULAR_LIMIT_BYTES = 10 * 1024 * 1024
MAX_PATTERNS_BYTES = 64 * 1024

_LFS_SUFFIXES = (
    *(
        "7z",
        "arrow",
        "avro",
        "bin",
        "bz2",
        "ckpt",
        "ftz",
        "gz",
        "h5",
        "joblib",
        "lz4",
        "mds",
        "mlmodel",
        "model",
        "msgpack",
    ),
    *(
        "npy",
        "npz",
        "onnx",
        "ot",
        "parquet",
        "pb",
        "pickle",
        "pkl",
        "pt",
        "pth",
        "rar",
        "safetensors",
        "tar",
        "tflite",
        "tgz",
    ),
    *("wasm", "xz", "zip", "zst", "pcm", "sam", "raw", "aac", "flac", "mp3", "ogg", "wav"),
    *("bmp", "gif", "png", "tiff", "jpg", "jpeg", "webp", "mp4", "webm", "duckdb", "sqlite"),
)
DEFAULT_GITATTRIBUTES = "".join(f"*.{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in _LFS_SUFFIXES)


def lfs_paths(paths: set[str], gitattributes: str) -> set[str]:
    """Those of `paths` that a .gitattributes file sends through LFS.

    Raises:
        HubError: 400 for more patterns than are looked at.
    """
    patterns = []
    for line in _bounded(gitattributes).splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        pattern, attributes = words[0], words[1:]
        if "filter=lfs" in attributes:
            patterns.append(pattern)
        elif {"-filter", "!filter"} & set(attributes):
            patterns.append(f"!{pattern}")
    return matching_paths(paths, patterns)


def ignored_paths(paths: set[str], gitignore: str) -> set[str]:
    """Those of `paths` that a .gitignore file keeps out.

    Raises:
        HubError: 400 for more patterns than are looked at.
    """
    return matching_paths(paths, _bounded(gitignore).splitlines())


def is_lfs_content(*, size: int, sample: bytes) -> bool:
    """Whether a file is uploaded as LFS whatever its path: over 10 MiB, or its first bytes (`sample`) are binary."""
    return size > REGULAR_LIMIT_BYTES or b"\0" in sample


def _bounded(text: str) -> str:
    if len(text) > MAX_PATTERNS_BYTES:
        raise bad_request(f"The patterns are longer than {MAX_PATTERNS_BYTES} bytes")
    return text
