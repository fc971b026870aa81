"""python -m lib.replay: traces in, changes of level and a picture out."""

from __future__ import annotations

import csv
import json
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from click.testing import CliRunner, Result

from lib.replay import main
from tests.series import USD, runaway

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
CONFIG = {
    "aws_region": "us-east-1", "sns_email": "your-email@example.com",
    "profiles": [{"name": "a", "tags": [{"key": "TenantID", "value": "A"}]}],
    "tiers": {"small": {"daily_budget_usd": 5, "levels": {"day_burn": {"yellow": None}}}},
}  # fmt: skip


def replay(folder: Path, text: str, *arguments: str) -> Result:
    (folder / "trace.csv").write_text(text)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return CliRunner().invoke(main, [str(folder / "trace.csv"), "--config", str(folder / "config.json"), *arguments])


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three and a half weeks of rhythm with a runaway loop in the end."""
    folder = tmp_path_factory.mktemp("loop")
    rows = [f"{at:.3f},{amount / USD:.12f}" for at, amount in runaway().events]
    (folder / "loop.csv").write_text("\n".join(["time,usd", *rows]))
    return folder


def test_table_and_picture_of_a_runaway_loop(loop: Path) -> None:
    result = CliRunner().invoke(
        main, [str(loop / "loop.csv"), "--config", str(loop / "none.json"), "--svg", str(loop / "p.svg")]
    )
    assert result.exit_code == 0
    changes = [line for line in result.stdout.splitlines() if " -> " in line]
    assert [line.split("->")[1].split()[0] for line in changes] == ["orange", "red", "yellow", "green"]
    assert "spike: " in changes[0] and "times the usual" in changes[0]
    assert "the defaults apply" in result.stderr and "red 0." in result.stdout
    picture = Xml.fromstring((loop / "p.svg").read_text())  # noqa: S314 - we have just written it
    texts = [element.text for element in picture.iter() if element.tag.endswith("text")]
    assert {"USD an hour", "spent", "usual at this hour of this weekday", "level"} <= set(texts)
    band = [element.get("fill") for element in picture.iter() if element.get("height") == "22"]
    assert len(set(band)) == 4, "the band shows every level that there was"
    numbers = [
        float(value) for element in picture.iter() for name, value in element.items() if name in {"x", "x1", "x2"}
    ]
    assert min(numbers) >= 0 and max(numbers) <= 1200


def test_json_is_for_machines(tmp_path: Path) -> None:
    rows = "\n".join(f"2026-03-02T10:{minute:02d}:00Z,0.20" for minute in range(30))
    result = replay(tmp_path, f"when,cost\n{rows}\n".replace("when", "Time"), "--tier", "small", "--format", "json")
    found = json.loads(result.stdout)
    assert (found["requests"], found["usd"], found["tier"]) == (30, "6", "small")
    assert found["changes"][0]["to"] == "red" and found["changes"][0]["at"] == "2026-03-02T10:06:00+00:00"
    assert "daily budget burns" in found["changes"][0]["why"][0]
    assert abs(sum(found["shares"].values()) - 1) < 1e-6


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("timestamp,usd\n1772445600,1.5\n1772445660,0.5\n", ()),
        ("TIMESTAMP;x,amount (USD)\n", None),
        ("1772445600.5,1.5\n1772445660000,0.5\n", ()),
        ("\ufeffDate,Amount USD,note\n2026-03-02 10:00:00.1234567,$1.50,x\n2026-03-02T11:01:00+01:00,0.5,y\n", ()),
        ("time,input_tokens,output_tokens\n1772445600,2000000,1200000\n", ("--model", "MODEL")),
    ],
)
def test_any_csv_of_time_and_amount(tmp_path: Path, text: str, arguments: tuple[str, ...] | None) -> None:
    model = "anthropic.claude-3-haiku-20240307-v1:0"
    given = tuple(model if argument == "MODEL" else argument for argument in arguments or ())
    result = replay(tmp_path, text, *given)
    if arguments is None:
        assert result.exit_code == 1 and "has the columns" in result.stderr
    else:
        assert result.exit_code == 0 and "$2.00, 2026-03-02 10:00 to 2026-03-02 10:0" in result.stdout, result.stderr


@pytest.mark.parametrize(
    ("text", "arguments", "said"),
    [
        ("time,usd\nyesterday,1\n", (), "row 2: yesterday,1"),
        ("time,usd\n1772445600,-1\n", (), "row 2"),
        ("time,usd\n1772445600,NaN\n", (), "row 2"),
        ("time,usd\n", (), "there is no row"),
        ("", (), "is empty"),
        ("time,tokens\n1772445600,5\n", (), "has tokens, not money"),
        ("time,tokens\n1772445600,5\n", ("--model", "nobody.model"), "no price of 'nobody.model'"),
        ("time,usd\n1772445600,1\n", ("--tier", "gold"), "There is no tier 'gold'"),
        ("time,usd\n1772445600,1\n", ("--timezone", "Mars/Olympus"), "There is no zone"),
    ],
)
def test_what_cannot_be_replayed_is_one_sentence(
    tmp_path: Path, text: str, arguments: tuple[str, ...], said: str
) -> None:
    result = replay(tmp_path, text, *arguments)
    assert result.exit_code == 1 and said in result.stderr and "Traceback" not in result.stderr
    assert result.stderr.count("Error: ") == 1 and not result.stdout


def test_hourly_sums_are_spread_and_that_is_said(tmp_path: Path) -> None:
    rows = "\n".join(f"{1772409600 + 3600 * hour},0.60" for hour in range(96))
    result = replay(tmp_path, f"time,usd\n{rows}\n")
    assert "Rows are 60 minutes apart" in result.stderr
    assert "5,760 requests, $57.60" in result.stdout and "stays green throughout" in result.stdout


@pytest.mark.parametrize("name", ["conv", "code"])
def test_real_traces(name: str) -> None:
    path = DATA / f"azure_llm_2023_{name}.csv"
    if not path.exists():
        pytest.skip(f"{path} is not on this machine")
    result = CliRunner().invoke(
        main,
        [str(path), "--config", "none.json", "--model", "anthropic.claude-3-haiku-20240307-v1:0", "--format", "json"],
    )
    found = json.loads(result.stdout)
    assert result.exit_code == 0 and found["requests"] > 8000
    # An hour of real traffic without history or budget: the tokens are above the alarm threshold, and that is all.
    assert [change["to"] for change in found["changes"]] == ["yellow", "green"]
    assert "too little history" in found["changes"][0]["why"][0]
    with path.open(newline="") as file:
        rows = [(int(row["ContextTokens"]), int(row["GeneratedTokens"])) for row in csv.DictReader(file)]
    price = Fraction("0.00025"), Fraction("0.00125")  # USD per 1,000 tokens
    assert Fraction(found["usd"]) == sum(price[0] * asked + price[1] * answered for asked, answered in rows) / 1000
