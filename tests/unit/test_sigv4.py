"""Signatures: AWS's published test suite, and botocore's signer on random requests.

The table holds facts of the signing test suite that AWS publishes in awslabs/aws-c-auth (Apache-2.0),
tests/aws-signing-test-suite/v4/<name>/header-signed-request.txt, for a signer that does not normalise paths. A header
that a case sends several times, or on folded lines, stands here once, joined by commas as its canonical request has it.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from lambda_function.sigv4 import Credentials, Signer, digest

KEY = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None)
STAMP = "20150830T123600Z"
LETTERS = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
STS = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwt"
    "hAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVX"
    "AkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)
TOKEN = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"
FORM = "application/x-www-form-urlencoded"
FORM_DIGEST = "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"


class Case(NamedTuple):
    name: str
    signature: str
    method: str = "GET"
    path: str = "/"
    query: str = ""
    headers: dict[str, str] | None = None
    body: bytes = b""


CASES = [
    Case("get-vanilla-query", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    Case("get-vanilla-with-session-token", "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
         headers={"x-amz-security-token": TOKEN}),
    Case("get-header-key-duplicate", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
         headers={"my-header1": "value2,value2,value1"}),
    Case("get-header-value-order", "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
         headers={"my-header1": "value4,value1,value3,value2"}),
    Case("get-header-value-trim", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
         headers={"my-header1": " value1", "my-header2": '"a   b   c"'}),
    Case("get-header-value-multiline", "ba17b383a53190154eb5fa66a1b836cc297cc0a3d70a5d00705980573d8ff790",
         headers={"my-header1": "value1,value2,value3"}),
    Case("get-unreserved", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f", path=f"/{LETTERS}"),
    Case("get-utf8", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85", path="/ሴ"),
    Case("get-space-unnormalized", "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741",
         path="/example space/"),
    Case("get-relative-unnormalized", "eca7ead57bb5aa5c8e28007acd4ff04e1ff9a0ff3b237ec1554a184887ff9282",
         path="/example/.."),
    Case("get-relative-relative-unnormalized", "dc33e0856fd4baca4d7aa2146c38958283844764f38c74252a333df5e613003b",
         path="/example1/example2/../.."),
    Case("get-slash-dot-slash-unnormalized", "68714168e6557f8f2de0ef956fc24dc2593a4bd2961f8df51898d8a134695145",
         path="/./"),
    Case("get-slash-pointless-dot-unnormalized", "beb03f223f7deae4146464f06e29eebbee9c8afbe15c290cf07aa8b119e14cff",
         path="/./example"),
    Case("get-slash-unnormalized", "c88bcd3d312d75078c0cd961d6deae3f4c754924b01669efcfcb439fd5e5b76e", path="//"),
    Case("get-slashes-unnormalized", "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5",
         path="//example//"),
    Case("get-vanilla-empty-query-key", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
         query="Param1=value1"),
    Case("get-vanilla-query-order-encoded", "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac",
         query="Param-3=Value3&Param=Value2&%E1%88%B4=Value1"),
    Case("get-vanilla-query-order-key-case", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
         query="Param2=value2&Param1=value1"),
    Case("get-vanilla-query-unreserved", "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
         query=f"{LETTERS}={LETTERS}"),
    Case("get-vanilla-utf8-query", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
         query="ሴ=bar"),
    Case("post-vanilla", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b", "POST"),
    Case("post-vanilla-query", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11", "POST",
         query="Param1=value1"),
    Case("post-header-key-sort", "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c", "POST",
         headers={"my-header1": "value1"}),
    Case("post-header-value-case", "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d", "POST",
         headers={"my-header1": "VALUE1"}),
    Case("post-sts-header-before", "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead", "POST",
         headers={"x-amz-security-token": STS}),
    Case("post-x-www-form-urlencoded", "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b", "POST",
         headers={"content-type": FORM, "content-length": "13", "x-amz-content-sha256": FORM_DIGEST},
         body=b"Param1=value1"),
    Case("post-x-www-form-urlencoded-parameters", "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422",
         "POST", headers={"content-type": f"{FORM}; charset=utf-8", "content-length": "13",
                          "x-amz-content-sha256": FORM_DIGEST}, body=b"Param1=value1"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_aws_signing_test_suite(case: Case) -> None:
    headers = {"host": "example.amazonaws.com", **(case.headers or {})}
    prepared = Signer("us-east-1", "service").prepare(case.method, case.path, case.query, headers)
    for _ in range(2):  # the second with the key that the first left behind
        assert prepared.authorization(STAMP, digest(case.body), KEY) == (
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
            f"SignedHeaders={';'.join(sorted([*headers, 'x-amz-date']))}, Signature={case.signature}"
        )


def encoded(text: str) -> str:
    return quote(text, safe="-._~")


# botocore normalises paths before it signs; AWS's paths, and ours, have neither dot segments nor empty ones.
segments = st.text(min_size=1, max_size=20).filter(lambda text: set(text) != {"."}).map(encoded)
queries = st.lists(st.tuples(st.text(min_size=1, max_size=8), st.text(max_size=8)), max_size=4).map(
    lambda pairs: "&".join(f"{encoded(name)}={encoded(value)}" for name, value in pairs)
)
values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
extra = st.dictionaries(st.from_regex(r"x-[a-z]{1,8}", fullmatch=True), values, max_size=4)
days = st.dates().map(lambda day: f"{day.year:04}{day.month:02}{day.day:02}T123456Z")


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@given(
    method=st.sampled_from(["GET", "POST", "PUT"]),
    path=st.lists(segments, max_size=4).map(lambda parts: "/" + "/".join(parts)),
    query=queries,
    headers=extra,
    body=st.binary(max_size=200),
    stamp=days,
    token=st.none() | st.just(TOKEN),
    s3=st.booleans(),
)
def test_agrees_with_botocore(
    method: str, path: str, query: str, headers: dict[str, str], body: bytes, stamp: str, token: str | None, s3: bool
) -> None:
    service = "s3" if s3 else "bedrock"
    headers = {**headers, "host": "example.com:4599"}
    if token:
        headers["x-amz-security-token"] = token
    if s3:
        headers["x-amz-content-sha256"] = digest(body)
    url = f"http://example.com:4599{path}{'?' if query else ''}{query}"
    request = AWSRequest(method, url, {**headers, "x-amz-date": stamp}, body)
    request.context["timestamp"] = stamp
    credentials = BotocoreCredentials(KEY.access_key, KEY.secret_key, token)
    theirs = (S3SigV4Auth if s3 else SigV4Auth)(credentials, service, "eu-central-1")
    text = theirs.string_to_sign(request, theirs.canonical_request(request))
    signer = Signer("eu-central-1", service, encode_path=not s3)
    ours = signer.prepare(method, path, query, headers).authorization(stamp, digest(body), KEY._replace(token=token))
    assert ours.rpartition("=")[2] == theirs.signature(text, request)
    assert f"Credential={theirs.scope(request)}, " in ours
    assert f"SignedHeaders={theirs.signed_headers(theirs.headers_to_sign(request))}, " in ours


def test_the_key_follows_day_and_secret() -> None:
    signer = Signer("us-east-1", "service")

    def signed(day: str, secret: str, by: Signer) -> str:
        prepared = by.prepare("GET", "/", "", {"host": "example.amazonaws.com"})
        return prepared.authorization(f"{day}T000000Z", digest(b""), Credentials("A", secret, None))

    for day, secret in [("20261123", "one"), ("20261124", "one"), ("20261124", "two"), ("20261123", "one")]:
        assert signed(day, secret, signer) == signed(day, secret, Signer("us-east-1", "service"))
