"""report.py: what each tenant cost, and whether it agrees with the AWS bill."""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

from lib.cli.options import Options, common_options, told
from lib.cli.place import Place, open_place
from lib.errors import ProjectError
from lib.names import names_of
from lib.output import Output
from lib.reports.focus import as_focus
from lib.reports.groups import FORECAST_DAYS, Report, report_of
from lib.reports.period import Period, period_from
from lib.reports.rows import Row, read_rows
from lib.reports.text import as_csv, as_json, as_table

__all__ = ["main"]

_DAY = click.DateTime(["%Y-%m-%d"])


@click.command(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--month", metavar="YYYY-MM", help="A calendar month [default: this one].")
@click.option("--from", "first", type=_DAY, metavar="D", help="First day, 2026-11-01.")
@click.option("--to", "last", type=_DAY, metavar="D", help="Last day, included.")
@click.option("--by", default="TenantID", help="Tag keys to group by, separated by commas [default: TenantID].")
@click.option("--format", "form", type=click.Choice(["table", "csv", "json", "html", "focus"]), default="table")
@click.option("--output", "target", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file.")
@click.option("--reconcile", is_flag=True, help="Compare the ledger with CloudWatch and with Cost Explorer.")
@click.option("--tolerance", type=float, default=0.0, help="Percent that may differ before --reconcile exits 1.")
@common_options
@told
def main(
    options: Options,
    output: Output,
    month: str | None,
    first: datetime | None,
    last: datetime | None,
    by: str,
    form: str,
    target: Path | None,
    reconcile: bool,
    tolerance: float,
) -> None:
    """What each tenant cost, from the ledger's daily roll-ups. Days are UTC, as on AWS's bill."""
    place = open_place(options, output)
    try:
        period = period_from(month, first, last, place.aws.clock())
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if reconcile:
        sys.exit(_reconcile(place, period, form, tolerance, output))
    text = _text(place, period, tuple(tag.strip() for tag in by.split(",") if tag.strip()), form)
    if target:
        target.write_text(text, encoding="utf-8", newline="")
        output.say(f"Wrote {target}.")
    else:
        output.result(text.rstrip("\r\n"))


def _text(place: Place, period: Period, by: tuple[str, ...], form: str) -> str:
    table = names_of(place.config, place.aws.account).table
    today = datetime.fromtimestamp(place.aws.clock(), UTC).date()
    rows = read_rows(place.aws, table, period)
    if form == "focus":
        return as_focus(rows, place.aws.account, place.aws.region, place.aws.partition)
    report = report_of(rows, _history(place, table, period, today), period, by, _budgets(place), today)
    if not report.groups:
        raise ProjectError(f"No request was recorded in {period}.", "Roll-ups follow requests within a minute or two.")
    known = {tag for row in rows for tag in row.tags}
    for tag in by:
        if rows and tag not in known:
            raise ProjectError(
                f"No profile in {period} has the tag {tag!r}.", f"There are: {', '.join(sorted(known))}."
            )
    return _rendered(report, form)


def _rendered(report: Report, form: str) -> str:
    if form == "csv":
        return as_csv(report)
    if form == "json":
        return as_json(report)
    if form == "html":
        from lib.reports.page import as_page  # plotly takes a second to import

        return as_page(report)
    return "\n".join(as_table(report, shutil.get_terminal_size((120, 40)).columns))


def _history(place: Place, table: str, period: Period, today: date) -> list[Row]:
    """The period before, and what a forecast looks back on."""
    first = period.before.first
    if period.first <= today <= period.last:
        first = min(first, today - timedelta(days=FORECAST_DAYS))
    return read_rows(place.aws, table, Period(first, period.first - timedelta(days=1)))


def _budgets(place: Place) -> dict[str, int]:
    return {
        tenant.name: tenant.policy.monthly_budget
        for tenant in place.config.tenants.values()
        if tenant.policy.monthly_budget is not None
    }


def _reconcile(place: Place, period: Period, form: str, tolerance: float, output: Output) -> int:
    from lib.reports.reconcile import reconciliation

    result = reconciliation(place.aws, place.config, place.state, period)
    for line in result.as_json() if form == "json" else result.as_table():
        output.result(line)
    return 1 if result.exceeds(tolerance) else 0
