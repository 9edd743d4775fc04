"""Folders on their way to workers: zipped where they are, unpacked once on each node.

Equal content gives equal bytes, whatever the times of the files are, so that the digest names it.
"""

from __future__ import annotations

import io
import os
import shutil
import stat
import zipfile
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from hashlib import blake2b
from typing import Any, Final

#: Never packed.
LEFT_OUT: Final = (".git", "__pycache__", ".venv")
_TIME: Final = (1980, 1, 1, 0, 0, 0)


def digest_of(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


def pack(path: str, excludes: Sequence[str] = (), inside: bool = False) -> bytes:
    """A zip file of a folder; a zip file or a wheel is taken as it is.

    Args:
        path: the folder or file.
        excludes: patterns of names, or of paths in the folder, of what is left out.
        inside: whether the folder itself is in the archive, as a module's must be.

    Raises:
        ValueError: There is no such folder or file, or it is of another kind.
    """
    full = os.path.abspath(os.path.expanduser(path))
    if os.path.isfile(full) and full.endswith((".zip", ".whl")):
        with open(full, "rb") as file:
            data = file.read()
        if not zipfile.is_zipfile(io.BytesIO(data)):
            raise ValueError(f"{path} is no zip file")
        return data
    files = [(os.path.basename(full), full)] if os.path.isfile(full) and inside else list(_files(full, excludes))
    if not os.path.exists(full) or (os.path.isfile(full) and not (inside and full.endswith(".py"))):
        raise ValueError(f"{path} is no folder and no zip file")
    prefix = os.path.basename(full) + "/" if inside and os.path.isdir(full) else ""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, file_path in files:
            info = zipfile.ZipInfo(prefix + name, _TIME)
            info.external_attr = (stat.S_IMODE(os.stat(file_path).st_mode) | stat.S_IFREG) << 16
            with open(file_path, "rb") as file:
                archive.writestr(info, file.read(), zipfile.ZIP_DEFLATED, 1)
    return buffer.getvalue()


def module_path(module: Any) -> str:
    """Where a module is that was given itself. Raises ValueError when it is not on disk."""
    places = list(getattr(module, "__path__", ())) or [getattr(module, "__file__", None)]
    if len(places) != 1 or not isinstance(places[0], str):
        raise ValueError(f"py_modules: {module!r} is not in one folder or file; give a path")
    return places[0]


def _files(folder: str, excludes: Sequence[str]) -> Iterator[tuple[str, str]]:
    for where, folders, files in os.walk(folder):
        inner = os.path.relpath(where, folder)
        inner = "" if inner == "." else inner + "/"
        folders[:] = sorted(name for name in folders if not _is_left_out(inner + name, name, excludes))
        for name in sorted(files):
            path = os.path.join(where, name)
            if not _is_left_out(inner + name, name, excludes) and os.path.isfile(path):
                yield inner + name, path


def _is_left_out(path: str, name: str, excludes: Sequence[str]) -> bool:
    if name in LEFT_OUT:
        return True
    patterns = [pattern.strip("/") for pattern in excludes]
    return any(fnmatch(name, pattern) or fnmatch(path, pattern) for pattern in patterns)


def unpacked(data: bytes, digest: str, into: str) -> str:
    """The folder in ``into`` with what is in a zip file, unpacked by whoever comes first."""
    folder = os.path.join(into, digest)
    if os.path.isdir(folder):
        return folder
    mine = f"{folder}.{os.getpid()}"
    os.makedirs(into, mode=0o700, exist_ok=True)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        archive.extractall(mine)
        for info in archive.infolist():
            mode = stat.S_IMODE(info.external_attr >> 16)
            if mode and not info.is_dir():
                os.chmod(os.path.join(mine, info.filename), mode | stat.S_IRUSR | stat.S_IWUSR)
    try:
        os.rename(mine, folder)
    except OSError:  # another process was faster
        shutil.rmtree(mine, ignore_errors=True)
        if not os.path.isdir(folder):
            raise
    return folder
