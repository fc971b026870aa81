"""Daily cost in the columns of FOCUS, the FinOps Open Cost and Usage Specification 1.1 (focus.finops.org).

One line per UTC day, profile and model. Columns that FOCUS allows to be null and that do not apply are left out.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from datetime import date, timedelta

from lambda_function.money import usd
from lib.reports.period import month_of
from lib.reports.rows import Row

__all__ = ["as_focus"]

_AWS = "Amazon Web Services, Inc."
_COLUMNS = (
    "BilledCost", "BillingAccountId", "BillingCurrency", "BillingPeriodStart", "BillingPeriodEnd", "ChargeCategory",
    "ChargeDescription", "ChargeFrequency", "ChargePeriodStart", "ChargePeriodEnd", "ConsumedQuantity", "ConsumedUnit",
    "ContractedCost", "EffectiveCost", "InvoiceIssuerName", "ListCost", "PricingQuantity", "PricingUnit",
    "ProviderName", "PublisherName", "RegionId", "ResourceId", "ResourceName", "ResourceType", "ServiceCategory",
    "ServiceName", "SkuId", "SubAccountId", "Tags",
)  # fmt: skip


def as_focus(rows: Iterable[Row], account: str, region: str, partition: str) -> str:
    """FOCUS as CSV. Costs are list prices: discounts of the account are not known here."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, _COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for row in sorted(rows, key=lambda row: (row.day, row.tenant, row.name, row.version)):
        month = month_of(row.day)
        tokens = sum(row.tokens.values())
        cost = usd(row.cost)
        writer.writerow(
            {
                "BilledCost": cost,
                "BillingAccountId": account,
                "BillingCurrency": "USD",
                "BillingPeriodStart": _start(month.first),
                "BillingPeriodEnd": _start(month.last + timedelta(days=1)),
                "ChargeCategory": "Usage",
                "ChargeDescription": f"{row.model} through inference profile {row.name}",
                "ChargeFrequency": "Usage-Based",
                "ChargePeriodStart": _start(row.day),
                "ChargePeriodEnd": _start(row.day + timedelta(days=1)),
                "ConsumedQuantity": tokens,
                "ConsumedUnit": "Tokens",
                "ContractedCost": cost,
                "EffectiveCost": cost,
                "InvoiceIssuerName": _AWS,
                "ListCost": cost,
                "PricingQuantity": tokens,
                "PricingUnit": "Tokens",
                "ProviderName": _AWS,
                "PublisherName": row.model.split(".")[-2].capitalize() if "." in row.model else _AWS,
                "RegionId": region,
                "ResourceId": (
                    f"arn:{partition}:bedrock:{region}:{account}:application-inference-profile/{row.profile_id}"
                ),
                "ResourceName": row.name,
                "ResourceType": "Application inference profile",
                "ServiceCategory": "AI and Machine Learning",
                "ServiceName": "Amazon Bedrock",
                "SkuId": row.model,
                "SubAccountId": account,
                "Tags": json.dumps(row.tags, sort_keys=True),
            }
        )
    return buffer.getvalue()


def _start(day: date) -> str:
    return f"{day}T00:00:00Z"
