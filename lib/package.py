"""The deployment zip of the functions: the same bytes from the same sources on any machine and day."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from pathlib import Path
from typing import NamedTuple

__all__ = ["Package", "build"]

_SOURCES = Path(__file__).resolve().parent.parent / "lambda_function"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can hold


class Package(NamedTuple):
    """`content` is the zip; `sha256` its digest in base64, as Lambda's CodeSha256 spells it."""

    content: bytes
    sha256: str


def build(sources: Path = _SOURCES) -> Package:
    """Zip `lambda_function/` reproducibly: sorted names, one date, one mode."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(sources.rglob("*.py")):
            member = zipfile.ZipInfo(f"{sources.name}/{path.relative_to(sources).as_posix()}", _EPOCH)
            member.external_attr = 0o644 << 16
            member.compress_type = zipfile.ZIP_DEFLATED
            member.create_system = 3  # Unix, whatever system builds it
            archive.writestr(member, path.read_bytes())
    content = buffer.getvalue()
    return Package(content, base64.b64encode(hashlib.sha256(content).digest()).decode())
