"""config.json: what works, and one sentence with a place for each thing that does not."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lambda_function.request import Refusal
from lambda_function.resolve import Resolver
from lib.config import Config, load
from lib.deployment_checks import DEFAULTS
from lib.errors import ConfigError, Problem

ROOT = Path(__file__).resolve().parent.parent.parent
SHIPPED = ROOT / "config.json"
SCHEMA = json.loads((ROOT / "lib" / "config_schema.json").read_text())
HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"
SOME = {"input_cost": 0.00025, "output_cost": 0.00125}
# The shipped table is tested in test_models.py; these are enough here, and read faster.
PRICES = {
    "default": {
        "text": dict.fromkeys(
            (HAIKU, "us.amazon.nova-lite-v1:0", "eu.amazon.nova-lite-v1:0", "us-gov.anthropic.claude-sonnet-5"), SOME
        ),
        "embeddings": {"amazon.titan-embed-text-v2:0": SOME},
    }
}

Document = dict[str, Any]


def tag(key: str, value: str) -> dict[str, str]:
    return {"key": key, "value": value}


def profile(name: str = "bot", tenant: str = "Acme", **more: Any) -> Document:
    return {"name": name, "tags": [tag("TenantID", tenant), tag("ApplicationID", "Bot")], **more}


def document(**more: Any) -> Document:
    return {"aws_region": "us-east-1", "sns_email": "ops@acme.io", "profiles": [profile()], **more}


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Any], Path]:
    def write(content: Any) -> Path:
        path = tmp_path / "config.json"
        path.with_name("models.json").write_text(json.dumps(PRICES))
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def problems_of(path: Path, models: Path | None = None, **options: Any) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as caught:
        load(path, models or path.with_name("models.json"), **{"local": False, **options})
    return caught.value.problems


def loaded(path: Path, **options: Any) -> Config:
    return load(path, path.with_name("models.json"), **{"local": False, **options})


# What works


def test_the_three_required_keys_are_enough(written: Callable[[Any], Path]) -> None:
    config = loaded(written({k: v for k, v in document().items() if k in {"aws_region", "sns_email", "profiles"}}))
    bot = config.profiles[0]
    assert (bot.tenant, bot.model_id, bot.description) == ("Acme", HAIKU, None)
    assert (bot.cost_alarm_threshold, bot.token_alarm_threshold, bot.request_alarm_threshold) == (10**12, 2000, 10)
    assert bot.tag_map == {"TenantID": "Acme", "ApplicationID": "Bot"}
    assert (config.topic_name, config.function_name, config.api_name, config.api_stage, config.dashboard_name) == (
        "BedrockInvocationAlarms",
        "InvokeBedrockFunction",
        "BedrockInvocationAPI",
        "dev",
        "BedrockInvocationDashboard",
    )
    assert (config.bucket_name, config.role_arn, config.monthly_budget) == (None, None, None)
    assert config.tiers == ("default",)
    assert (config.tenants["Acme"].tier, config.tenants["Acme"].timezone) == ("default", "UTC")
    assert config.prices[HAIKU]["input_cost"] == 250_000
    assert config.deployed == {}
    assert config.notices == ()


def test_the_shipped_file_is_two_tenants_with_two_applications_each() -> None:
    config = loaded(SHIPPED, local=True)
    assert {name: sum(p.tenant == name for p in config.profiles) for name in config.tenants} == {"Acme": 2, "Globex": 2}
    assert len(config.tiers) == 2
    assert {tuple(pointer.split("/")[-1:]) for pointer, _, _ in problems_of(SHIPPED)} == {
        ("sns_email",),
        ("contact_email",),
    }, "on real AWS only the placeholder addresses stand in the way"


def test_defaults_in_the_code_are_those_of_the_schema() -> None:
    properties = SCHEMA["properties"]
    assert {key: properties[key]["default"] for key in DEFAULTS} == DEFAULTS
    thresholds = [properties[f"{kind}_alarm_threshold"]["default"] for kind in ("cost", "token", "request")]
    assert thresholds == [1, 2000, 10]


def test_money_is_exact(written: Callable[[Any], Path]) -> None:
    text = json.dumps(document(cost_alarm_threshold=1, monthly_budget_usd=2)).replace(
        '"cost_alarm_threshold": 1', '"cost_alarm_threshold": 0.100000000001'
    )
    config = loaded(written(text.replace('"monthly_budget_usd": 2', '"monthly_budget_usd": 1e3')))
    assert (config.profiles[0].cost_alarm_threshold, config.monthly_budget) == (100_000_000_001, 1000 * 10**12)


def test_a_profile_overrides_thresholds_and_model(written: Callable[[Any], Path]) -> None:
    own = profile("own", cost_alarm_threshold=0, token_alarm_threshold=7, model_id="us.amazon.nova-lite-v1:0")
    config = loaded(written(document(profiles=[profile(), own], token_alarm_threshold=5, request_alarm_threshold=3)))
    first, second = config.profiles
    assert (first.token_alarm_threshold, second.token_alarm_threshold) == (5, 7)
    assert (first.request_alarm_threshold, second.request_alarm_threshold) == (3, 3)
    assert (first.cost_alarm_threshold, second.cost_alarm_threshold) == (10**12, 0)
    assert set(config.prices) == {HAIKU, "us.amazon.nova-lite-v1:0"}


def test_a_tenant_has_its_tiers_limits_and_its_own_on_top(written: Callable[[Any], Path]) -> None:
    tiers = {
        "default": {"requests_per_minute": 60},
        "gold": {
            "monthly_budget_usd": 100,
            "daily_budget_usd": 10,
            "tokens_per_minute": 1000,
            "anomaly_alarm": True,
            "actions": {"orange": ["notify_admin", "throttle"], "red": ["block"]},
        },
    }
    tenants = {
        "Acme": {
            "tier": "gold",
            "timezone": "Europe/Berlin",
            "monthly_budget_usd": 0.5,
            "tokens_per_minute": None,
            "actions": {"red": ["shorten", {"throttle": 0.25}]},
        }
    }
    profiles = [profile(), profile("other", "Globex")]
    config = loaded(written(document(profiles=profiles, tiers=tiers, tenants=tenants)))
    acme, globex = config.tenants["Acme"], config.tenants["Globex"]
    assert (acme.tier, acme.timezone, acme.anomaly_alarm, globex.anomaly_alarm) == (
        "gold",
        "Europe/Berlin",
        True,
        False,
    )
    policy = acme.policy.to_json()
    assert (policy["monthly_budget"], policy["daily_budget"]) == (500_000_000_000, 10 * 10**12)
    assert policy.get("tokens_per_minute") is None, "null lifts a limit of the tier"
    assert policy["actions"]["orange"] == ["notify_admin", {"throttle": 0.5}]
    assert policy["actions"]["red"] == [{"shorten": 256}, {"throttle": 0.25}]
    assert globex.policy.to_json()["requests_per_minute"] == 60, "a tenant without an entry has the tier default"


def test_the_older_layout_loads(written: Callable[[Any], Path]) -> None:
    role = "arn:aws:iam::123456789012:role/Older"
    older = document(
        profile_ids=[
            {"bot": "abcdefghijkl"},
            {"x": "arn:aws:bedrock:us-east-1:1:application-inference-profile/mnopqr"},
        ],
        api_id="a1b2c3",
        lambda_role_arn=role,
        s3_bucket_name="my-bucket",
    )
    config = loaded(written(older))
    assert config.deployed == {
        "profile_ids": {"bot": "abcdefghijkl", "x": "mnopqr"},
        "api_id": "a1b2c3",
        "lambda_role_arn": role,
    }
    assert (config.role_arn, config.bucket_name) == (role, "my-bucket")
    newer = loaded(written({**older, "deployed": {"api_id": "newer", "table": "T"}}))
    assert newer.deployed["api_id"] == "newer", "what setup wrote last is what counts"
    assert newer.deployed["table"] == "T"
    assert loaded(written(document(lambda_role_arn=role))).deployed == {}, "a role that was given is not one we made"


@pytest.mark.parametrize("address", ["your-email@example.com", "INSERT-YOUR-EMAIL", "<you>", "admin@acme.test"])
def test_a_placeholder_address_is_for_local_use_only(written: Callable[[Any], Path], address: str) -> None:
    path = written(document(sns_email=address))
    assert [problem.pointer for problem in problems_of(path)] == ["/sns_email"]
    config = loaded(path, local=True)
    assert "@" in config.sns_email, "alerts need somewhere to go"
    assert any("placeholder" in notice for notice in config.notices)


@pytest.mark.parametrize("address", ["ops@acme.io", "first.last+alerts@mail.yoursix.co.uk", "a@contest.de"])
def test_an_address_that_somebody_meant_is_taken(written: Callable[[Any], Path], address: str) -> None:
    assert loaded(written(document(sns_email=address))).sns_email == address


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"profiles": [profile() | {"tags": [tag("TenantID", "A"), tag("a:b", "1")]}]},
            ('"a:b"', "only in the header"),
        ),
        ({"profiles": [profile() | {"tags": [tag("TenantID", "A"), tag("Host", "1")]}]}, ('"Host"', "reserved header")),
        ({"profiles": [profile() | {"tags": [tag("TenantID", "A"), tag("Region", "1")]}]}, ('"Region"', "reserved")),
        ({"profiles": [profile(), {**profile(), "name": "twin"}]}, ("bot, twin", "same tags")),
        ({"tenants": {"Nobody": {}}}, ('"Nobody"', "no profile")),
        ({"tenants": {"Acme": {"actions": {"red": ["notify_tenant"]}}}}, ('"Acme"', "contact_email")),
        ({"default_model_id": "eu.amazon.nova-lite-v1:0"}, ("eu-", "us-east-1")),
        ({"api_id": "abc"}, ("api_id", "older layout")),
    ],
)
def test_what_works_but_perhaps_not_as_meant_is_a_notice(
    written: Callable[[Any], Path], change: Document, words: tuple[str, ...]
) -> None:
    (notice,) = loaded(written(document(**change))).notices
    assert all(word in notice for word in words), notice


HEADERS = "Accept Accept-Encoding Authorization Cache-Control Content-Length Content-Type Cookie Date Expect From Host"
HEADERS += " Origin Range Region Tags TE Upgrade User-Agent Via Warning X-Amz-Date X-Amzn-Trace-Id X-Api-Key"
HEADERS += " X-Forwarded-For Inference-Profile-Id Inference-Profile-Name s3_bucket_name ApplicationID Environment x.y"


@pytest.mark.parametrize("key", HEADERS.split())
def test_a_tag_key_that_the_api_does_not_read_as_a_header_is_told(written: Callable[[Any], Path], key: str) -> None:
    profiles = [{"name": name, "tags": [tag("TenantID", "A"), tag(key, f"value {name}")]} for name in ("one", "two")]
    told = any("only in the header `tags`" in notice for notice in loaded(written(document(profiles=profiles))).notices)
    rows = [
        {
            "name": name,
            "id": name,
            "arn": name,
            "tenant": "A",
            "model": "",
            "version": "",
            "tags": {key: f"value {name}"},
        }
        for name in ("one", "two")
    ]
    try:
        read = Resolver(rows, "us-east-1").resolve("A", {key.lower(): "value two"}).name == "two"
    except Refusal:
        read = False
    assert told is not read


def test_another_region_may_be_asked_for(written: Callable[[Any], Path]) -> None:
    config = loaded(written(document()), region="eu-west-1")
    assert config.region == "eu-west-1"
    assert "us-east-1" in config.notices[0]


# What does not work: (change of a good document, pointer, words of the sentence)

LONG = {f"k{n}": "v" for n in range(47)}

BAD: list[tuple[Document, str, tuple[str, ...]]] = [
    ({"sns_emial": "x"}, "/sns_emial", ("unknown", 'did you mean "sns_email"')),
    ({"aws_region": "us-esat-1"}, "/aws_region", ("us-esat-1", "e.g. us-east-1")),
    ({"aws_region": 5}, "/aws_region", ("found 5",)),
    ({"sns_email": "nobody"}, "/sns_email", ("nobody", "an email address")),
    ({"profiles": []}, "/profiles", ("empty list", "unsetup.py")),
    ({"profiles": [{"tags": [tag("TenantID", "A")]}]}, "/profiles/0/name", ("missing",)),
    ({"profiles": [{"name": "a"}]}, "/profiles/0/tags", ("missing", "TenantID")),
    ({"profiles": [profile("a--b")]}, "/profiles/0/name", ('"a--b"', "Bedrock's rule")),
    ({"profiles": [profile("a\n")]}, "/profiles/0/name", ("Bedrock's rule",)),
    ({"profiles": [profile("é")]}, "/profiles/0/name", ("Bedrock's rule",)),
    ({"profiles": [profile("a" * 65)]}, "/profiles/0/name", ("1 to 64",)),
    ({"profiles": [profile(description="what, ever")]}, "/profiles/0/description", ("Bedrock's rule",)),
    ({"profiles": [profile(description="")]}, "/profiles/0/description", ("1 to 200",)),
    ({"profiles": [profile(descripton="x")]}, "/profiles/0/descripton", ('did you mean "description"',)),
    ({"profiles": [profile(), profile()]}, "/profiles/1/name", ('"bot"', "/profiles/0")),
    ({"profiles": [profile(cost_alarm_threshold=-1)]}, "/profiles/0/cost_alarm_threshold", ("found -1", "from 0")),
    ({"request_alarm_threshold": -1}, "/request_alarm_threshold", ("found -1", "from 0")),
    ({"token_alarm_threshold": 1.5}, "/token_alarm_threshold", ("found 1.5", "whole number")),
    ({"token_alarm_threshold": True}, "/token_alarm_threshold", ("found true",)),
    ({"cost_alarm_threshold": "1"}, "/cost_alarm_threshold", ('found "1"', "USD")),
    ({"cost_alarm_threshold": 1e-13}, "/cost_alarm_threshold", ("1E-13", "12 decimals")),
    ({"monthly_budget_usd": 0.0000000000015}, "/monthly_budget_usd", ("12 decimals",)),
    ({"monthly_budget_usd": 0}, "/monthly_budget_usd", ("found 0", "above 0")),
    ({"default_model_id": "anthropic.claude-9"}, "/default_model_id", ("anthropic.claude-9", "us-east-1")),
    ({"default_model_id": "arn:aws:bedrock:x::y/z"}, "/default_model_id", ("the id, not the ARN",)),
    ({"profiles": [profile(model_id=HAIKU[:-2])]}, "/profiles/0/model_id", ("no price in us-east-1", HAIKU)),
    (
        {"profiles": [profile(model_id="amazon.titan-embed-text-v2:0")]},
        "/profiles/0/model_id",
        ("no price in us-east-1", "only in default embeddings"),
    ),
    (
        {"profiles": [profile(model_id="us-gov.anthropic.claude-sonnet-5")]},
        "/profiles/0/model_id",
        ("not offered in us-east-1",),
    ),
    ({"tiers": {"gold": {"monthly_budget": 1}}}, "/tiers/gold/monthly_budget", ('did you mean "monthly_budget_usd"',)),
    ({"tiers": {"a/b": {}}}, "/tiers/a~1b", ("a tier's name",)),
    ({"tiers": {"gold": {"over_budget": "stop"}}}, "/tiers/gold/over_budget", ('"stop"', '"clamp"')),
    ({"tiers": {"gold": {"max_concurrent_requests": 501}}}, "/tiers/gold/max_concurrent_requests", ("501", "500")),
    ({"tiers": {"gold": {"daily_budget_usd": 1e-14}}}, "/tiers/gold/daily_budget_usd", ("12 decimals",)),
    ({"tiers": {"gold": {"actions": {"red": ["fire"]}}}}, "/tiers/gold/actions/red/0", ('"fire"', "notify_admin")),
    ({"tiers": {"gold": {"actions": {"red": [{"throttle": 2}]}}}}, "/tiers/gold/actions/red/0", ("between 0 and 1",)),
    ({"tiers": {"gold": {"actions": {"pink": []}}}}, "/tiers/gold/actions/pink", ("unknown", "yellow")),
    ({"tiers": {"gold": {"levels": {"calm_minute": 5}}}}, "/tiers/gold/levels/calm_minute", ("calm_minutes",)),
    (
        {"tiers": {"gold": {"levels": {"hour_ratio": {"yellow": 0.5}}}}},
        "/tiers/gold/levels/hour_ratio/yellow",
        ("found 0.5", "from 1"),
    ),
    (
        {
            "tiers": {"default": {"levels": {"longest_calm_minutes": 20}}},
            "tenants": {"Acme": {"levels": {"calm_minutes": 30}}},
        },
        "/tenants/Acme/levels/longest_calm_minutes",
        ("less than calm_minutes",),
    ),
    ({"tenants": {"Acme": {"tier": "gold"}}}, "/tenants/Acme/tier", ('"gold"', "default", "define it")),
    ({"tenants": {"Acme": {"timezone": "Europe/Berln"}}}, "/tenants/Acme/timezone", ('did you mean "Europe/Berlin"',)),
    ({"tenants": {"Acme": {"timezone": "../../etc"}}}, "/tenants/Acme/timezone", ("IANA",)),
    ({"tenants": {"Acme": {"contact_email": "x@example.com"}}}, "/tenants/Acme/contact_email", ("placeholder",)),
    ({"tenants": {"Acme": {"contact_email": "x"}}}, "/tenants/Acme/contact_email", ("email address",)),
    ({"tenants": {"acme": {}}}, "/tenants/acme", ("no profile", 'did you mean "Acme"')),
    ({"s3_bucket_name": "INSERT-UNIQUE-BUCKET-NAME"}, "/s3_bucket_name", ("lower-case", "without the key")),
    ({"s3_bucket_name": "10.0.0.1"}, "/s3_bucket_name", ("reserves",)),
    ({"lambda_role_arn": "role"}, "/lambda_role_arn", ("a role's ARN",)),
    ({"lambda_role_arn": "arn:aws-cn:iam::123456789012:role/r"}, "/lambda_role_arn", ("another partition",)),
    ({"deployed": []}, "/deployed", ("the object that setup writes",)),
]

BAD_TAGS: list[tuple[list[Any], str, tuple[str, ...]]] = [
    ([], "", ("no tag TenantID",)),
    ([tag("tenantid", "Acme")], "", ('"tenantid"', "case matters")),
    ([tag("TenantID", "")], "/0/value", ('found ""', "not empty")),
    ([tag("TenantID", "  ")], "/0/value", ("not empty",)),
    ([tag("TenantID", "_deployment")], "/0/value", ("_deployment", "reserved")),
    ([tag("TenantID", "Acme ")], "/0/value", ("blanks",)),
    ([tag("TenantID", "A"), tag("App", "x"), tag("App", "y")], "/2/key", ('"App"', "a second time")),
    ([tag("TenantID", "A"), tag("App", "x"), tag("app", "x")], "/2/key", ('"app"', '"App"', "cases")),
    ([tag("TenantID", "A"), tag("aws:x", "x")], "/1/key", ("aws:", "belong to AWS")),
    ([tag("TenantID", "A"), tag("bedrock-cost-tracing:x", "x")], "/1/key", ("ours",)),
    ([tag("TenantID", "A"), tag("App", "50%")], "/1/value", ('"50%"', "a tag value")),
    ([tag("TenantID", "A"), tag("k" * 129, "")], "/1/key", ("1 to 128",)),
    ([tag("TenantID", "A"), tag("App", "v" * 257)], "/1/value", ("256",)),
    ([tag("TenantID", "A"), {"key": "App"}], "/1/value", ("missing",)),
    ([tag("TenantID", "A"), *(tag(f"k{n}", "") for n in range(47))], "", ("48 tags", "47")),
]


@pytest.mark.parametrize(("change", "pointer", "words"), BAD, ids=[f"{n}{row[1]}" for n, row in enumerate(BAD)])
def test_one_bad_thing_is_one_problem_with_its_place(
    written: Callable[[Any], Path], change: Document, pointer: str, words: tuple[str, ...]
) -> None:
    (problem,) = problems_of(written(document(**change)))
    assert problem.pointer == pointer
    assert all(word in str(problem) for word in words), str(problem)


@pytest.mark.parametrize(("tags", "pointer", "words"), BAD_TAGS, ids=[row[2][0] for row in BAD_TAGS])
def test_one_bad_tag_is_one_problem_with_its_place(
    written: Callable[[Any], Path], tags: list[Any], pointer: str, words: tuple[str, ...]
) -> None:
    (problem,) = problems_of(written(document(profiles=[{"name": "bot", "tags": tags}])))
    assert problem.pointer == f"/profiles/0/tags{pointer}"
    assert all(word in str(problem) for word in words), str(problem)


def test_one_tag_key_has_one_spelling_in_the_whole_file(written: Callable[[Any], Path]) -> None:
    other = {"name": "other", "tags": [tag("TenantID", "Acme"), tag("applicationid", "x")]}
    (problem,) = problems_of(written(document(profiles=[profile(), other])))
    assert problem.pointer == "/profiles/1/tags/1/key"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1,}', ("line 1, column ", "comma before the closing bracket")),
        ('{\n "a" 1}', ("line 2, column 6", "colon")),
        ("{'a': 1}", ("line 1, column 2", "double quotes")),
        ('{"a": 1 // why\n}', ("line 1, column 9", "no comments")),
        ('{"a": [1, 2', ("line 1", "ends too early")),
        ('{"a": "x', ("line 1", "quotation mark")),
        ('{"a": 1}}', ("line 1, column 9", "last closing bracket")),
        ("", ("empty",)),
        ("[" * 100_000, ("too deeply",)),
    ],
)
def test_malformed_json_is_one_problem_with_line_and_remedy(
    written: Callable[[Any], Path], text: str, words: tuple[str, ...]
) -> None:
    (problem,) = problems_of(written(text))
    assert all(word in str(problem) for word in words), str(problem)


def test_what_json_parsers_silently_accept_is_refused(written: Callable[[Any], Path]) -> None:
    text = json.dumps(document())[:-1]
    twice = problems_of(
        written(text + ', "aws_region": "eu-west-1", "tiers": {"a": {"fail_open": true, "fail_open": 1}}}')
    )
    assert [problem.pointer for problem in twice] == ["/aws_region", "/tiers/a/fail_open"]
    assert all("more than once" in problem.found for problem in twice)
    for number in ("NaN", "-Infinity", "1e400", "1e99999999999999999999", "9" * 5000):
        (problem,) = problems_of(written(f'{text}, "cost_alarm_threshold": {number}}}'))
        assert problem.pointer == "/cost_alarm_threshold"
        assert "finite" in problem.allowed


def test_every_problem_is_told_at_once_and_for_both_files(written: Callable[[Any], Path], tmp_path: Path) -> None:
    everything = copy.deepcopy(document(cost_alarm_threshold=-1, sns_email="x", extra=1))
    everything["profiles"].append(profile("bad--name", "_x", model_id="nobody.knows"))
    everything["tenants"] = {"Acme": {"tier": "none", "timezone": "Mars/Olympus"}}
    models = tmp_path / "prices.json"
    models.write_text('{"default": {"text": {"some.model": {"input_cost": 1}}}}')
    assert {problem.pointer for problem in problems_of(written(everything), models)} == {
        "/cost_alarm_threshold",
        "/sns_email",
        "/extra",
        "/default_model_id",
        "/profiles/1/name",
        "/profiles/1/tags/0/value",
        "/profiles/1/model_id",
        "/tenants/Acme/tier",
        "/tenants/Acme/timezone",
        f"{models}#/default/text/some.model/output_cost",
    }


def test_a_problem_never_shows_a_credential(written: Callable[[Any], Path]) -> None:
    key, secret = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    path = written(
        document(aws_secret_access_key=secret, sns_email=key, api_stage=f"x {secret}", dashboard_name=secret)
    )
    with pytest.raises(ConfigError) as caught:
        loaded(path)
    assert len(caught.value.problems) == 4
    assert key not in str(caught.value)
    assert secret not in str(caught.value)


@pytest.mark.parametrize("missing", ["config.json", "models.json"])
def test_a_missing_file_is_said(written: Callable[[Any], Path], tmp_path: Path, missing: str) -> None:
    path = written(document())
    (tmp_path / missing).unlink()
    with pytest.raises(ConfigError, match=missing) as caught:
        loaded(path)
    (problem,) = caught.value.problems
    assert "no such file" in problem.found


def test_every_key_is_documented() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    limits, profiles = SCHEMA["$defs"]["tenant"]["properties"], SCHEMA["$defs"]["profile"]["properties"]
    keys = {*SCHEMA["properties"], *limits, *profiles, *SCHEMA["$defs"]["tier"]["properties"]}
    assert not [key for key in sorted(keys) if f"`{key}`" not in page]
