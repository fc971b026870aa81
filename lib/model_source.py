"""What an inference profile copies from, and where its requests may go: ARNs from model ids."""

from __future__ import annotations

import re

__all__ = ["base_model", "copy_source", "is_system_profile", "routed_models"]

# System-defined profiles are named <geography>.<provider>.<model>. Geographies are us, eu, apac, au, jp, in, ca,
# us-gov, global and what AWS adds next; providers' names are longer than two letters.
# docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html
_GEOGRAPHY = re.compile(r"^(global|apac|amer|emea|[a-z]{2}(-[a-z]+)?)\.(?=[a-z0-9-]+\.)")


def is_system_profile(model_id: str) -> bool:
    """Whether `model_id` names a cross-Region profile of AWS's ("us.amazon.nova-lite-v1:0") rather than a model."""
    return _GEOGRAPHY.match(model_id) is not None


def base_model(model_id: str) -> str:
    """The foundation model behind `model_id`: without the geography, if it has one."""
    return _GEOGRAPHY.sub("", model_id, count=1)


def copy_source(model_id: str, region: str, account: str, partition: str) -> str:
    """The `copyFrom` ARN of an application profile for `model_id` in `region` of `account`."""
    if is_system_profile(model_id):
        return f"arn:{partition}:bedrock:{region}:{account}:inference-profile/{model_id}"
    return f"arn:{partition}:bedrock:{region}::foundation-model/{model_id}"


def routed_models(model_id: str, region: str, partition: str) -> tuple[str, ...]:
    """The foundation-model ARNs that a profile copied from `model_id` may route to, as IAM resources.

    A geography's Regions change without notice, so they are a wildcard; the model is not. A global profile is also
    authorised on an ARN without a Region:
    docs.aws.amazon.com/bedrock/latest/userguide/global-cross-region-inference.html
    """
    base = base_model(model_id)
    if not is_system_profile(model_id):
        return (f"arn:{partition}:bedrock:{region}::foundation-model/{base}",)
    anywhere = f"arn:{partition}:bedrock:*::foundation-model/{base}"
    if model_id.startswith("global."):
        return (f"arn:{partition}:bedrock:::foundation-model/{base}", anywhere)
    return (anywhere,)
