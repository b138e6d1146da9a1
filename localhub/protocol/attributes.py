"""Which files go through LFS and which are ignored: .gitattributes and .gitignore, as git reads them."""

from pathspec import GitIgnoreSpec

REGULAR_LIMIT_BYTES = 10 * 1024 * 1024

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


def lfs_patterns(gitattributes: str) -> GitIgnoreSpec:
    """The paths a .gitattributes file sends through LFS."""
    patterns = []
    for line in gitattributes.splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        pattern, attributes = words[0], words[1:]
        if "filter=lfs" in attributes:
            patterns.append(pattern)
        elif {"-filter", "!filter"} & set(attributes):
            patterns.append(f"!{pattern}")
    return GitIgnoreSpec.from_lines(patterns)


def ignore_patterns(gitignore: str) -> GitIgnoreSpec:
    """The paths a .gitignore file keeps out."""
    return GitIgnoreSpec.from_lines(gitignore.splitlines())


def goes_through_lfs(path: str, *, size: int, sample: bytes, patterns: GitIgnoreSpec) -> bool:
    """Whether a file is uploaded as LFS: by its path, being over 10 MiB, or its first bytes (`sample`) being binary."""
    return size > REGULAR_LIMIT_BYTES or b"\0" in sample or patterns.match_file(path)
