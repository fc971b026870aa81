"""Whom TLS connections trust. Imported with the first https connection: `ssl` alone costs some 10 ms.

The operator's own bundle (AWS_CA_BUNDLE, SSL_CERT_FILE, SSL_CERT_DIR) is the only one where it is set. Otherwise the
roots of Amazon Trust Services come first, and the platform's default bundle where they do not vouch for an endpoint:
parsing the whole bundle is the largest item of a cold start. Certificates and host names are verified always.
"""

from __future__ import annotations

import os
import ssl
from functools import cache

from lambda_function.roots import AMAZON_ROOTS

__all__ = ["BUSY", "DISTRUST", "first", "second"]

BUSY = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
DISTRUST = ssl.SSLCertVerificationError


@cache
def first() -> ssl.SSLContext:
    """The context to try first."""
    bundle = os.environ.get("AWS_CA_BUNDLE")
    if bundle:
        context = _context()
        folder = os.path.isdir(bundle)  # noqa: PTH112  pathlib takes as long to import as the handshake to make
        context.load_verify_locations(**{"capath" if folder else "cafile": bundle})
        return context
    if os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR"):
        return _default()
    context = _context()
    context.load_verify_locations(cadata=AMAZON_ROOTS)
    return context


@cache
def second() -> ssl.SSLContext | None:
    """The context for endpoints that the first one distrusts; None where the first one is final."""
    if any(os.environ.get(name) for name in ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")):
        return None
    return _default()


def _default() -> ssl.SSLContext:
    context = _context()
    context.set_default_verify_paths()  # reads SSL_CERT_FILE and SSL_CERT_DIR itself
    return context


def _context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # requires a certificate and checks the host name
