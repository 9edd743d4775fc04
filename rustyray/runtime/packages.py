"""Folders on their way to workers: zipped where they are, unpacked once on each node.

Equal content gives equal bytes, whatever the times of the files are, so that the digest names it.
"""

from __future__ import annotations

import io
import os
import shutil
import stat
import zipfile
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Final

from rustyray.runtime import ignoring

_TIME: Final = (1980, 1, 1, 0, 0, 0)


def digest_of(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


def pack(path: str, excludes: Sequence[str] = (), inside: bool = False) -> bytes:
    """A zip file of a folder; a zip file or a wheel is taken as it is.

    Args:
        path: the folder or file.
        excludes: patterns of what is left out, as in a ``.gitignore``; those in the folder hold as well.
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
    if not os.path.exists(full) or (os.path.isfile(full) and not (inside and full.endswith(".py"))):
        raise ValueError(f"{path} is no folder and no zip file")
    files = ignoring.kept(full, excludes) if os.path.isdir(full) else [(os.path.basename(full), full)]
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


def unpacked(data: bytes, digest: str, into: str) -> str:
    """The folder in ``into`` with what is in a zip file, unpacked by whoever comes first."""
    folder = os.path.join(into, digest)
    if os.path.isdir(folder):
        return folder
    mine = f"{folder}.{os.getpid()}"
    os.makedirs(into, mode=0o700, exist_ok=True)
    os.makedirs(mine, exist_ok=True)  # an archive may be empty
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
