"""Runs one scenario in a process of its own.

The library has one client, one registry and one ioctl store per process, as the SDK has. A scenario
is a top-level function of a test module; it gets the loaded library and its parameters and returns
what the test looks at, as JSON. A crash, a hang or an exception in it fails the test with the output.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


class Outcome:
    """What a scenario returned, and everything that its process printed."""

    def __init__(self, value, output):
        self.value = value
        self.output = output


def run_isolated(scenario, *, timeout=60, environment=None, **parameters):
    """Runs `scenario(library, **parameters)` in a new process and returns its Outcome.

    `environment` is added to the process's own.
    """
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "job.json"
        result = Path(folder) / "result.json"
        job.write_text(json.dumps({
            "module": scenario.__module__,
            "function": scenario.__name__,
            "parameters": parameters,
            "result": str(result),
        }))
        try:
            done = subprocess.run(
                [sys.executable, str(HERE / "isolation.py"), str(job)],
                cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                env={**os.environ, "PYTHONFAULTHANDLER": "1", "PYTHONUNBUFFERED": "1", **(environment or {})})
        except subprocess.TimeoutExpired as hang:
            output = (hang.output or b"").decode("utf-8", "replace")
            raise AssertionError(f"{scenario.__name__} did not end within {timeout} s\n{output}") from None
        output = done.stdout.decode("utf-8", "replace")
        if done.returncode != 0 or not result.exists():
            raise AssertionError(f"{scenario.__name__} ended with status {done.returncode}\n{output}")
        return Outcome(json.loads(result.read_text()), output)


def _main():
    job = json.loads(Path(sys.argv[1]).read_text())
    sys.path.insert(0, str(HERE))
    import importlib

    import iotx_abi

    scenario = getattr(importlib.import_module(job["module"]), job["function"])
    value = scenario(iotx_abi.load(), **job["parameters"])
    Path(job["result"]).write_text(json.dumps(value))
    sys.stdout.flush()
    # Leave at once: interpreter shutdown would run destructors of a library under test.
    os._exit(0)


if __name__ == "__main__":
    _main()
