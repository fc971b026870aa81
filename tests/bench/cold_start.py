"""CPU of a cold start: a fresh process, from the first import to the first reply, as a share of boto3's.

    python -m tests.bench.cold_start

Both reach the fake endpoint over TLS with the same small CA bundle, so neither pays for the platform's whole one. The
handler runs from its unpacked deployment zip. Lambda cannot write byte code beside it, so it is measured without any;
boto3, which Lambda's runtime has compiled beforehand, with.
"""

from __future__ import annotations

import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from lib.package import build
from tests.authority import Authority
from tests.bench.endpoint import endpoint
from tests.bench.stage import BODY, Invocation, counter_item, environment, event, profile_arn, snapshot, tenant_of

__all__ = ["BARE", "COMPILED", "HANDLER", "measure"]

BARE, HANDLER, COMPILED = "boto3", "handler", "handler, byte code in the zip"
_PROFILES = 100
_NUMBER = 42

_BARE_CODE = """
import json, sys, time
began = time.process_time()
import boto3
client = boto3.client("bedrock-runtime")
client.converse(modelId=sys.argv[1], **json.loads(sys.argv[2]))
print(time.process_time() - began)
"""
_HANDLER_CODE = """
import json, os, sys, time
class Invocation:
    aws_request_id = sys.argv[1]
    def get_remaining_time_in_millis(self): return 29000
event = json.loads(sys.argv[2])
spoken, sys.stdout = sys.stdout, open(os.devnull, "w")
began = time.process_time()
from lambda_function.handler import handle
answer = handle(event, Invocation())
cost = time.process_time() - began
assert answer["statusCode"] == 200, answer
print(cost, file=spoken)
"""


def measure(rounds: int = 7) -> dict[str, float]:
    """Milliseconds of CPU, by the names above: medians of `rounds` processes each, taken in turns."""
    objects = {"/bucket/deployment/resolved.json": json.dumps(snapshot(_PROFILES))}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        authority = Authority(folder)
        item = counter_item(tenant_of(_NUMBER))
        with endpoint(item, objects, authority.certificate()) as url:
            shared = {**environment(url), "AWS_CA_BUNDLE": str(authority.bundle)}
            plain, compiled = _unpacked(folder / "plain"), _unpacked(folder / "compiled")
            subprocess.run([sys.executable, "-m", "compileall", "-q", compiled], check=True)
            asked = [Invocation().aws_request_id, json.dumps(event(_NUMBER))]
            commands = {
                BARE: (_BARE_CODE, [profile_arn(_NUMBER), json.dumps(BODY)], shared),
                HANDLER: (_HANDLER_CODE, asked, {**shared, "PYTHONPATH": plain, "PYTHONDONTWRITEBYTECODE": "1"}),
                COMPILED: (_HANDLER_CODE, asked, {**shared, "PYTHONPATH": compiled}),
            }
            found: dict[str, list[float]] = {name: [] for name in commands}
            for turn in range(rounds + 1):
                for name, (code, arguments, values) in commands.items():
                    cost = _cost(code, arguments, values)
                    if turn:  # the first brings the files into memory
                        found[name].append(cost)
    return {name: statistics.median(costs) for name, costs in found.items()}


def _unpacked(folder: Path) -> str:
    """A folder with the deployment zip's content."""
    with zipfile.ZipFile(io.BytesIO(build().content)) as archive:
        archive.extractall(folder)
    return str(folder)


def _cost(code: str, arguments: list[str], values: Mapping[str, str]) -> float:
    """Milliseconds that a fresh process says its work took."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env={**os.environ, **values}, cwd="/", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout) * 1000


if __name__ == "__main__":
    costs = measure()
    for name, cost in costs.items():
        print(f"{name:30} {cost:7.1f} ms  {cost / costs[BARE]:.3f} of boto3")
