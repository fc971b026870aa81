"""Why an alarm is in its state: AWS's StateReason and StateReasonData."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lib.local.alarm_state import Point

__all__ = ["COMPARED", "explain", "iso_text"]

COMPARED = {
    "GreaterThanOrEqualToThreshold": "greater than or equal to",
    "GreaterThanThreshold": "greater than",
    "LessThanThreshold": "less than",
    "LessThanOrEqualToThreshold": "less than or equal to",
    "LessThanLowerOrGreaterThanUpperThreshold": "outside",
    "LessThanLowerThreshold": "below",
    "GreaterThanUpperThreshold": "above",
}


def iso_text(epoch: float) -> str:
    """2026-11-23T12:03:00.000+0000, as CloudWatch's JSON has it."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000"


def _clock_text(epoch: float) -> str:
    """23/11/26 12:03:00, as in reasons."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%d/%m/%y %H:%M:%S")


def explain(
    settings: Mapping[str, Any], period: int, row: Sequence[Point | None], state: str, at: float
) -> tuple[str, dict[str, Any]]:
    """The reason in words and as data, for an alarm of these settings whose evaluation range was `row`."""
    recent = [point for point in row if point is not None][-int(settings["EvaluationPeriods"]) :]
    data = {
        "version": "1.0",
        "queryDate": iso_text(at),
        "period": period,
        "recentDatapoints": [point.value for point in recent],
        "threshold": settings.get("Threshold"),
        "evaluatedDatapoints": [{"timestamp": iso_text(point.at), "value": point.value} for point in reversed(recent)],
    }
    return _words(settings, recent, state), data


def _words(settings: Mapping[str, Any], recent: Sequence[Point], state: str) -> str:
    if not recent:
        missing = settings.get("TreatMissingData") or "missing"
        return f"No datapoint was received and missing data is treated as [{missing}]."
    shown = ", ".join(f"{point.value} ({_clock_text(point.at)})" for point in reversed(recent))
    needed = int(settings.get("DatapointsToAlarm") or settings["EvaluationPeriods"])
    threshold = settings.get("Threshold")
    limit = f"the threshold ({float(threshold)})" if threshold is not None else "the expected band"
    compared = f"{COMPARED[settings['ComparisonOperator']]} {limit}"
    breaching = sum(point.breaching for point in recent)
    if state == "ALARM":
        count, verb = breaching, "was"
        change = f"minimum {needed} datapoint{'s' if needed != 1 else ''} for OK -> ALARM transition"
    else:
        count, verb, change = len(recent) - breaching, "was not", "minimum 1 datapoint for ALARM -> OK transition"
    return (
        f"Threshold Crossed: {count} out of the last {len(recent)} datapoints [{shown}] {verb} {compared} ({change})."
    )
