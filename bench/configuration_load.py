"""Measure what a configuration adds to the start of a function: a new process each time, with what Lambda has loaded.

The parameters come from a server on this machine, so the network and Parameter Store's own time are not in the figures.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from auto_lambda.tools import ToolEnvironments

TIMES = 15
LOADER = Path(__file__).parents[1] / "worker/bundle/on_lambda"
PROGRAM = """
import sys, time
import awslambdaric.bootstrap
sys.path.insert(0, sys.argv[1])
began = time.perf_counter()
import auto_lambda_configuration as loader
loaded = time.perf_counter()
environ = {"AWS_REGION": "x", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_ENDPOINT_URL": sys.argv[2]}
assert len(loader.load("/x", environ)) == 10
print(loaded - began, time.perf_counter() - loaded)
"""


class _Parameters(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        parameters = [{"Name": f"/x/{number}", "Value": "x" * 40} for number in range(10)]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"Parameters": parameters}).encode())

    def log_message(self, *_: Any) -> None:
        pass


def main() -> None:
    server = HTTPServer(("127.0.0.1", 0), _Parameters)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    python = ToolEnvironments().python("runtime", "{}.{}".format(*sys.version_info))
    address = f"http://127.0.0.1:{server.server_address[1]}"
    command = [str(python), "-c", PROGRAM, str(LOADER), address]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(TIMES)]
    for name, seconds in zip(("import", "load"), zip(*(map(float, run) for run in runs), strict=True), strict=True):
        print(f"{name}: median {statistics.median(seconds) * 1000:.0f} ms, worst {max(seconds) * 1000:.0f} ms")


if __name__ == "__main__":
    main()
