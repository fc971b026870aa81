"""CPU of resolving a request's profile, by name, id and tags, with 10 and with 100,000 profiles.

python -m tests.bench.resolve
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from lambda_function.resolve import Resolver
from tests.bench.interleaved import cpu_per_call
from tests.bench.stage import APPLICATIONS, snapshot, tenant_of

__all__ = ["FEW", "MANY", "measure"]

FEW, MANY = 10, 100_000


def measure(blocks: int = 25, each: int = 2000) -> dict[str, tuple[float, float]]:
    """By what the request says: microseconds of CPU per resolution with FEW and with MANY profiles."""
    few, many = _calls(FEW), _calls(MANY)
    calls = {f"{said} {FEW}": call for said, call in few.items()} | {
        f"{said} {MANY}": call for said, call in many.items()
    }
    found = cpu_per_call(calls, blocks=blocks, each=each)
    return {said: (found[f"{said} {FEW}"], found[f"{said} {MANY}"]) for said in few}


def _calls(count: int) -> dict[str, Callable[[], object]]:
    """Resolutions among so many profiles, by what the request says."""
    resolver = Resolver(snapshot(count)["profiles"], "us-east-1")
    number = count - 3
    tenant, application = tenant_of(number), f"Application-{number % APPLICATIONS:02}"
    ordinary = {"accept": "*/*", "content-type": "application/json", "x-forwarded-for": "203.0.113.7"}
    requests = {
        "name": {"inference-profile-name": f"{tenant}-{application}"},
        "id": {"inference-profile-id": f"{number:012}"},
        "tag header": {"applicationid": application},
        "tags": {"tags": f'{{"ApplicationID":"{application}","Environment":"production"}}'},
    }
    return {said: partial(resolver.resolve, tenant, {**ordinary, **headers}) for said, headers in requests.items()}


if __name__ == "__main__":
    for said, (few, many) in measure().items():
        print(f"by {said:10}  {FEW} profiles {few:6.2f} us   {MANY} profiles {many:6.2f} us   ratio {many / few:.2f}")
