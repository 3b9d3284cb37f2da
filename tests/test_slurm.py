"""The Slurm script, run with stand-ins for `srun`, `ray` and `gristmill` that write down what they are told to do."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "cluster" / "slurm.sbatch"
STAND_INS = {
    "srun": """
options=()
while [[ $1 == --* ]]; do options+=("$1"); shift; done
echo "srun ${options[*]}" >> "$LOG"
SLURM_NODEID=0 "$@" & first=$!
SLURM_NODEID=1 "$@" & second=$!
trap 'kill $first $second; wait; exit 0' TERM
wait $first; code=$?
kill $second
exit $code
""",
    "ray": """
if [ "$1" = health-check ]; then echo "$*" > "$LOG.asked"; test -e "$LOG.up"; exit; fi
if [[ "$*" == *--head* && -n "${BROKEN:-}" ]]; then exit 1; fi
echo "ray $* ($RAY_AUTH_MODE, usage stats $RAY_USAGE_STATS_ENABLED, $RAY_TMPDIR)" >> "$LOG"
if [[ "$*" == *--head* ]]; then touch "$LOG.up"; else touch "$LOG.joined"; fi
exec sleep 60
""",
    "gristmill": """
until [ -e "$LOG.joined" ]; do sleep .1; done
echo "gristmill $* at $RAY_ADDRESS" >> "$LOG"
[ -n "${OUT_OF_TIME:-}" ] || exit 3
trap 'echo "gristmill was told to end" >> "$LOG"; exit 143' TERM
kill -TERM $PPID
while :; do sleep .1; done
""",
}


def submitted(folder: Path, **more: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """The script as `sbatch` would run it on the first of two nodes, and what it started."""
    (folder / "bin").mkdir()
    for name, body in STAND_INS.items():
        (folder / "bin" / name).write_text(f"#!/bin/bash\n{body}")
        (folder / "bin" / name).chmod(0o755)
    given = {
        "SLURM_SUBMIT_DIR": str(folder),
        "SLURM_CPUS_ON_NODE": "48",
        "HEAD_IP": "10.0.0.7",
        "RAY_TMPDIR": "/scratch",
    }
    given |= {"PATH": f"{folder}/bin:{os.environ['PATH']}", "LOG": str(folder / "log"), "ROOT": "/shared/a b", **more}
    ended = subprocess.run(["bash", SCRIPT], env=given, capture_output=True, text=True, timeout=60)
    log = folder / "log"
    return ended, log.read_text().splitlines() if log.exists() else []


def test_a_ray_on_every_node_and_the_run_on_the_first_whose_exit_code_is_that_of_the_job(tmp_path: Path) -> None:
    ended, started = submitted(tmp_path)
    assert ended.returncode == 3, ended.stderr
    environment = "(token, usage stats 0, /scratch)"
    common = "--num-cpus=48 --object-store-memory=2147483648 --block"
    assert started == [
        "srun --ntasks-per-node=1 --cpus-per-task=48 --mem=0",
        f"ray start --head --node-ip-address=10.0.0.7 --port=6379 --include-dashboard=false {common} {environment}",
        f"ray start --address=10.0.0.7:6379 {common} {environment}",
        "gristmill run mixtures/commoncrawl.yaml --root /shared/a b at 10.0.0.7:6379",
    ]
    assert (tmp_path / "log.asked").read_text() == "health-check --address 10.0.0.7:6379\n"


def test_an_address_of_ipv6_stands_in_brackets_before_its_port(tmp_path: Path) -> None:
    ended, started = submitted(tmp_path, HEAD_IP="fd00::7", ROOT="/shared/a b")
    assert ended.returncode == 3, ended.stderr
    assert "ray start --head --node-ip-address=fd00::7 --port=6379 " in started[1]
    assert started[2].startswith("ray start --address=[fd00::7]:6379 ")
    assert started[3].endswith(" at [fd00::7]:6379")


def test_a_job_that_is_out_of_time_tells_the_run_to_end_and_waits_for_it(tmp_path: Path) -> None:
    ended, started = submitted(tmp_path, OUT_OF_TIME="1")
    assert (ended.returncode, started[-1]) == (143, "gristmill was told to end"), ended.stderr


def test_a_head_that_does_not_start_fails_the_job_and_nothing_runs(tmp_path: Path) -> None:
    ended, started = submitted(tmp_path, BROKEN="1")
    assert ended.returncode == 1
    assert ended.stderr.endswith("the head of Ray did not start at 10.0.0.7:6379: see the lines above\n")
    assert not [line for line in started if line.startswith(("gristmill", "ray start --address"))]


def test_options_stand_before_the_first_command_where_sbatch_reads_them() -> None:
    lines = SCRIPT.read_text().splitlines()
    options = [position for position, line in enumerate(lines) if line.startswith("#SBATCH")]
    first = next(position for position, line in enumerate(lines) if line and not line.startswith("#"))
    assert options
    assert max(options) < first
    names = {re.match(r"#SBATCH --([a-z-]+)", lines[position])[1] for position in options}  # type: ignore[index]
    assert names == {"job-name", "nodes", "ntasks-per-node", "exclusive", "mem", "time", "signal"}


@pytest.mark.parametrize(
    "option", ["--head", "--node-ip-address", "--port", "--include-dashboard", "--num-cpus", "--address"]
)
def test_ray_knows_the_options(option: str) -> None:
    from ray.scripts.scripts import start

    known = {name for parameter in start.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert {option, "--object-store-memory", "--block", "--memory"} <= known
