"""AWS Signature Version 4 in request headers, for one Region and service.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
Proven by AWS's published test suite, see tests/unit/test_sigv4.py.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import NamedTuple

__all__ = ["Credentials", "Signer", "digest"]

_UNRESERVED = frozenset(b"-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_NOTHING = hashlib.sha256(b"").hexdigest()
_REMEMBERED = 1000  # encoded paths kept: one a profile


class Credentials(NamedTuple):
    """What signs; `token` is the session token of temporary credentials, which is all that Lambda ever has."""

    access_key: str
    secret_key: str
    token: str | None


def digest(body: bytes) -> str:
    """The payload hash: SHA-256 in lower-case hex."""
    return hashlib.sha256(body).hexdigest() if body else _NOTHING


class Signer:
    """Signs for one Region and service. Deriving the key takes four hashes, so it is kept for its day.

    `encode_path` is False for S3 alone, whose canonical path is the path as sent; everyone else encodes it once more.
    """

    def __init__(self, region: str, service: str, *, encode_path: bool = True) -> None:
        self._region = region
        self._service = service
        self._encode_path = encode_path
        self._paths: dict[str, str] = {}
        self._latest: tuple[str, str, str, bytes] = ("", "", "", b"")  # replaced as one, so threads may share it

    def authorization(
        self,
        method: str,
        path: str,
        query: str,
        headers: Mapping[str, str],
        payload: str,
        credentials: Credentials,
    ) -> str:
        """The value of the header `Authorization`.

        `path` and `query` are as sent, encoded once. `headers` are those to sign, names in lower case, with `host` and
        `x-amz-date` (yyyymmddThhmmssZ) among them; `payload` is `digest(body)`.
        """
        names = sorted(headers)
        # Runs of white space count as one space, at the ends as none.
        lines = "".join([f"{name}:{' '.join(headers[name].split())}\n" for name in names])
        signed = ";".join(names)
        path = self._canonical_path(path)
        canonical = f"{method}\n{path}\n{query and _canonical_query(query)}\n{lines}\n{signed}\n{payload}"
        stamp = headers["x-amz-date"]
        scope, key = self._key(credentials.secret_key, stamp[:8])
        text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        return (
            f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={signed}, Signature={signature}"
        )

    def _key(self, secret: str, day: str) -> tuple[str, bytes]:
        """Scope and signing key of a day."""
        known_secret, known_day, scope, key = self._latest
        if day != known_day or secret != known_secret:
            scope = f"{day}/{self._region}/{self._service}/aws4_request"
            key = f"AWS4{secret}".encode()
            for part in scope.split("/"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._latest = secret, day, scope, key
        return scope, key

    def _canonical_path(self, path: str) -> str:
        if not self._encode_path:
            return path
        found = self._paths.get(path)
        if found is None:
            if len(self._paths) >= _REMEMBERED:
                self._paths.clear()
            found = self._paths[path] = _encoded(path, b"/")
        return found


def _canonical_query(query: str) -> str:
    """Sorted by encoded name, then by encoded value; a name without a value gets `=`."""
    pairs = [_encoded(part, b"%=").partition("=") for part in query.split("&") if part]
    return "&".join([f"{name}={value}" for name, _, value in sorted(pairs)])


def _encoded(text: str, kept: bytes) -> str:
    """Percent-encode all but unreserved characters (RFC 3986) and those of `kept`."""
    safe = _UNRESERVED.union(kept)
    return "".join([chr(byte) if byte in safe else f"%{byte:02X}" for byte in text.encode()])
