"""setup.py --demo: traffic for a newcomer to look at, on the embedded AWS."""

from __future__ import annotations

import time

from lib.cli.place import Place
from lib.demo import Sending, drive, plan, runaway, start_of
from lib.output import Output
from lib.report_lines import key_value
from lib.web import WebAnswer, post_json

__all__ = ["show_demo"]


def show_demo(place: Place, output: Output) -> None:
    """Send the plan's hour to the deployed API with each tenant's own key, the embedded clock made faster."""
    config, state = place.config, place.state
    url, endpoint = f"{state.get('api_url')}/invoke", str(state.get("endpoint_url"))
    keys = {tenant: key_value(place.aws, state, tenant) for tenant in config.tenants}

    def send(sending: Sending) -> WebAnswer:
        headers = {"x-api-key": keys[sending.tenant], "inference-profile-id": sending.profile}
        return post_json(url, sending.body, headers)

    def move(moment: float) -> None:
        post_json(f"{endpoint}/_local/clock", {"offset": moment - time.time()}, {})

    now = float(post_json(f"{endpoint}/_local/clock", None, {}).body["now"])
    start = start_of(config, now)
    sendings, tenant = plan(config), runaway(config)
    output.say(f"Demo: an hour of traffic in about a minute, {len(sendings)} requests. Nothing here costs anything.")
    output.say(f"Watch it at {endpoint}/_console" + (f"; {tenant.name} will run away." if tenant else "."))
    answers = drive(sendings, start, send, move, output.say)
    served = sum(count for (_, status), count in answers.items() if status == 200)
    output.say(f"Demo: {served} answered, {answers.total() - served} refused. Mails are in {place.folder / 'mail'}.")
