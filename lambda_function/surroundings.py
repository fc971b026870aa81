"""What setup tells a function through its environment: where AWS is and where the resolved configuration lies."""

from __future__ import annotations

from collections.abc import Mapping

from lambda_function.snapshot import SnapshotReader
from lambda_function.wire import Wire

__all__ = ["connect"]


def connect(environ: Mapping[str, str]) -> tuple[Wire, SnapshotReader]:
    """The wire to this Region's AWS and the reader of the configuration. Nothing is sent yet.

    AWS_ENDPOINT_URL is set only by the embedded AWS. Raises KeyError where setup's own variables are missing.
    """
    region = environ["AWS_REGION"]
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    wire = Wire(region, endpoint_url=environ.get("AWS_ENDPOINT_URL"), suffix=suffix)
    seconds = float(environ.get("SNAPSHOT_SECONDS", "30"))
    return wire, SnapshotReader(wire, environ["CONFIG_BUCKET"], environ["CONFIG_KEY"], seconds)
