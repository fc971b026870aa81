"""The deployment zip of the functions: the same bytes from the same sources on any machine and day."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import py_compile
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

__all__ = ["RUNTIME", "Package", "build"]

_SOURCES = Path(__file__).resolve().parent.parent / "lambda_function"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can hold


class Package(NamedTuple):
    """`content` is the zip; `sha256` its digest in base64, as Lambda's CodeSha256 spells it."""

    content: bytes
    sha256: str


# The runtime is the Python that builds the zip, so that the byte code in it fits: Lambda cannot keep any of its own,
# and compiling takes a third of a cold start. 3.11 to 3.13, which this project runs on, are all runtimes of Lambda.
RUNTIME = f"python3.{sys.version_info.minor}"


def build(sources: Path = _SOURCES) -> Package:
    """Zip `lambda_function/` with its byte code, reproducibly: sorted names, one date, one mode."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(sources.rglob("*.py")):
            name = f"{sources.name}/{path.relative_to(sources).as_posix()}"
            _add(archive, name, path.read_bytes())
            _add(archive, importlib.util.cache_from_source(name), _compiled(path, name))
    content = buffer.getvalue()
    return Package(content, base64.b64encode(hashlib.sha256(content).digest()).decode())


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    member = zipfile.ZipInfo(name, _EPOCH)
    member.external_attr = 0o644 << 16
    member.compress_type = zipfile.ZIP_DEFLATED
    member.create_system = 3  # Unix, whatever system builds it
    archive.writestr(member, content)


def _compiled(path: Path, name: str) -> bytes:
    """Byte code that is used without a look at its source, with the zip's path in it and not this machine's."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "code.pyc"
        unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(str(path), str(target), dfile=name, doraise=True, invalidation_mode=unchecked)
        return target.read_bytes()
