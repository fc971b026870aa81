"""64 concurrent callers at the edge of a budget, against LiteLLM's proxy with its in-memory budgets.

Not part of the test run: `pip install 'litellm[proxy]'` in an environment of its own, then

    python -m tests.comparison.litellm_budget /path/to/that/environment/bin/litellm

prints for each seed what the model endpoint served beside the budget. The proxy's budget of a provider is the one it
keeps in memory; budgets of keys and teams need its database.
"""

from __future__ import annotations

import http.client
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.e2e.stack import free_port

CALLERS = 64
SEEDS = 20
BUDGET = 10**10  # pico-USD: one cent
INPUT, OUTPUT = 250_000, 1_250_000  # pico-USD per token: Claude 3 Haiku
SECONDS_TO_ANSWER = 0.2

CONFIG = """
model_list:
  - model_name: model
    litellm_params: {{model: openai/model, api_base: "http://127.0.0.1:{upstream}/v1", api_key: none,
                      input_cost_per_token: 0.00000025, output_cost_per_token: 0.00000125}}
router_settings:
  provider_budget_config:
    openai: {{budget_limit: 0.01, time_period: 1d}}
litellm_settings: {{num_retries: 0}}
general_settings: {{dangerously_permit_weak_or_unset_master_key: true}}
"""


class Upstream(ThreadingHTTPServer):
    """An OpenAI-compatible endpoint that keeps its own record of what it served."""

    request_queue_size = 256
    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Answering)
        self.lock = threading.Lock()
        self.cost = 0
        self.calls = 0


class Answering(BaseHTTPRequestHandler):
    """Answers with as many tokens as asked for."""

    protocol_version = "HTTP/1.1"
    server: Upstream

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        prompt = sum(len(message["content"]) for message in body["messages"]) // 4
        answer = body["max_tokens"]
        time.sleep(SECONDS_TO_ANSWER)
        with self.server.lock:
            self.server.cost += prompt * INPUT + answer * OUTPUT
            self.server.calls += 1
        usage = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
        choice = {"index": 0, "message": {"role": "assistant", "content": "word"}, "finish_reason": "length"}
        self.reply(
            {
                "id": "x",
                "object": "chat.completion",
                "created": 0,
                "model": "model",
                "choices": [choice],
                "usage": usage,
            }
        )

    def reply(self, value: Any) -> None:
        content = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def call(port: int, body: dict[str, Any]) -> int:
    """The status of one completion through the proxy."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
        reply = connection.getresponse()
        reply.read()
        return reply.status
    finally:
        connection.close()


def asked(chosen: random.Random) -> dict[str, Any]:
    """A request that costs about a thirtieth of the budget."""
    text = "word " * chosen.randint(100, 800)
    return {"model": "model", "messages": [{"role": "user", "content": text}], "max_tokens": chosen.randint(50, 400)}


def run(litellm: str, seed: int) -> tuple[int, int, int]:
    """(pico-USD served, calls served, calls refused) of one fresh proxy."""
    chosen = random.Random(seed)
    upstream, port = Upstream(free_port()), free_port()
    threading.Thread(target=upstream.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(CONFIG.format(upstream=upstream.server_port))
        proxy = subprocess.Popen(
            [litellm, "--config", str(config), "--host", "127.0.0.1", "--port", str(port)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wait_for(port)
            bodies = [asked(chosen) for _ in range(CALLERS * 2)]
            with ThreadPoolExecutor(CALLERS) as pool:
                statuses = list(pool.map(lambda body: call(port, body), bodies))
            return upstream.cost, upstream.calls, sum(status != 200 for status in statuses)
        finally:
            proxy.kill()
            proxy.wait()
            upstream.shutdown()


def wait_for(port: int) -> None:
    """Until the proxy answers."""
    for _ in range(600):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/health/liveliness")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
        time.sleep(0.05)
    raise TimeoutError("the proxy did not come up")


def main() -> None:
    """Print a line per seed."""
    print(f"{'seed':>4} {'served USD':>12} {'of budget':>10} {'calls':>6} {'refused':>8}")
    for seed in range(SEEDS):
        cost, calls, refused = run(sys.argv[1], seed)
        print(f"{seed:>4} {cost / 10**12:>12.6f} {cost / BUDGET:>10.0%} {calls:>6} {refused:>8}", flush=True)


if __name__ == "__main__":
    main()
