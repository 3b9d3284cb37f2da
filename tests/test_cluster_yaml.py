"""The cluster files: accepted by Ray's own checks, of one mind about versions, and set up in the order that works.

No cloud, no Ray process: `ray up` runs against a provider that only writes down what it is told to do.
"""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

REPOSITORY = Path(__file__).parent.parent
FILES = ("cluster.yaml", "cluster/gcp.yaml", "cluster/onprem.yaml")


def load(name: str) -> dict[str, Any]:
    content = yaml.safe_load((REPOSITORY / name).read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


@pytest.mark.parametrize("name", FILES)
def test_ray_accepts_the_file(name: str) -> None:
    validate_config(prepare_config(load(name)))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "break_it",
    [
        lambda config: config.update(max_worker=3),
        lambda config: config["docker"].update(images="x"),
        lambda config: config["auth"].update(ssh_users="x"),
        lambda config: config.update(idle_timeout_minutes="5"),
    ],
)
def test_the_check_would_notice_a_misspelt_key(name: str, break_it: Any) -> None:
    config = load(name)
    break_it(config)
    with pytest.raises(jsonschema.ValidationError):
        validate_config(prepare_config(config))


@pytest.mark.parametrize("name", [*FILES, "cluster/rayjob.yaml", "cluster/Dockerfile"])
def test_all_files_name_the_version_of_ray_that_is_installed_and_declared(name: str) -> None:
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    versions = set(re.findall(r"rayproject/ray:([\d.]+)-py311-cpu|rayVersion: ([\d.]+)", text))
    assert {version for pair in versions for version in pair if version} == {ray.__version__}
    dependencies = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    declared = next(entry for entry in dependencies if entry.startswith("ray["))
    assert f">={ray.__version__.rpartition('.')[0]}" in declared


@pytest.mark.parametrize("name", FILES)
def test_no_work_is_placed_on_the_head_and_workers_come_on_demand(name: str) -> None:
    config = load(name)
    if config["provider"]["type"] == "local":
        assert "--num-cpus=0" in config["head_start_ray_commands"][-1]
        return
    types = config["available_node_types"]
    assert types[config["head_node_type"]]["resources"] == {"CPU": 0}
    assert types["worker"]["min_workers"] == 0
    assert types["worker"]["max_workers"] == config["max_workers"]


@pytest.mark.parametrize("name", FILES)
def test_nodes_start_with_a_token_and_the_dashboard_only_on_loopback(name: str) -> None:
    config = load(name)
    assert config["file_mounts"]["/home/ray/.ray/auth_token"] == "~/.ray/auth_token"
    for command in (config["head_start_ray_commands"][-1], config["worker_start_ray_commands"][-1]):
        assert "RAY_AUTH_MODE=token" in command
        assert "ulimit -n" in command
    assert "--dashboard-host=127.0.0.1" in config["head_start_ray_commands"][-1]


@pytest.mark.parametrize("name", [*FILES, "cluster/rayjob.yaml"])
def test_no_secret_stands_in_a_file(name: str) -> None:
    text = (REPOSITORY / name).read_text(encoding="utf-8")
    assert not re.search(r"AKIA[0-9A-Z]{16}|-----BEGIN|(?i:secret|password)\s*[:=]\s*\S", text)


@pytest.mark.parametrize("name", FILES)
def test_ray_up_copies_installs_and_starts_in_this_order(name: str, tmp_path: Path) -> None:
    config = copy.deepcopy(load(name))
    record = tmp_path / "record.jsonl"
    if config["provider"]["type"] == "local":  # what Ray makes of it: one type of node
        config.update(
            max_workers=3, head_node_type="node", available_node_types={"node": {"node_config": {}, "resources": {}}}
        )
    config["provider"] = {"type": "external", "module": "recording_provider.RecordingProvider", "record": str(record)}
    for key in ("initialization_commands", "head_setup_commands", "worker_setup_commands", "cluster_synced_files"):
        config.setdefault(key, [])
    (tmp_path / "requirements.lock").write_text("ray\n")
    (tmp_path / "stages").mkdir()
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray/auth_token").write_text("not-a-token\n")
    (tmp_path / "up.yaml").write_text(yaml.safe_dump(config))
    run_ray_up(tmp_path)

    events = [json.loads(line) for line in record.read_text().splitlines()]
    copied = [event["target"].rstrip("/") for event in events if event["event"] == "copy"]
    assert set(config["file_mounts"]) <= set(copied)
    assert "~/ray_bootstrap_config.yaml" in copied
    commands = [event["command"] for event in events if event["event"] == "run" and event["command"]]

    def position(text: str) -> int:
        return next(index for index, command in enumerate(commands) if text in command)

    assert position("pip install") < position("stages.kernels.compile") < position("ray stop")
    assert position("ray stop") < position("ray start --head")
    assert not [command for command in commands if "RAY_HEAD_IP:6379" in command]
    start = commands[position("ray start --head")]
    assert "RAY_AUTH_MODE=token" in start
    assert "RAY_enable_autoscaler_v2=1" in start


def run_ray_up(folder: Path) -> None:
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("RAY_")},
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "PYTHONPATH": str(Path(__file__).parent / "support"),
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    command = [sys.executable, "-c", "from ray.scripts.scripts import main; main()"]
    command += ["up", "-y", "--no-config-cache", "up.yaml"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


# The fields of the KubeRay API (ray.io/v1) that the manifest uses; unknown ones are silently dropped by the cluster.
RAYJOB_FIELDS = {
    "entrypoint", "submissionMode", "backoffLimit", "submitterConfig", "shutdownAfterJobFinishes", "runtimeEnvYAML",
    "ttlSecondsAfterFinished", "activeDeadlineSeconds", "rayClusterSpec", "submitterPodTemplate",
}  # fmt: skip
CLUSTER_FIELDS = {
    "rayVersion", "authOptions", "enableInTreeAutoscaling", "autoscalerOptions", "headGroupSpec", "workerGroupSpecs",
}  # fmt: skip
GROUP_FIELDS = {"groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"}


def test_the_rayjob_uses_fields_that_exist_and_goes_on_after_a_failure() -> None:
    job = load("cluster/rayjob.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    spec = job["spec"]
    assert spec.keys() <= RAYJOB_FIELDS
    assert spec["backoffLimit"] >= 3
    assert spec["submitterConfig"] == {"backoffLimit": 0}
    assert spec["shutdownAfterJobFinishes"] is True
    assert spec["activeDeadlineSeconds"] > 0
    cluster = spec["rayClusterSpec"]
    assert cluster.keys() <= CLUSTER_FIELDS
    assert cluster["authOptions"] == {"mode": "token"}
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    for group in groups:
        assert group.keys() <= GROUP_FIELDS
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        for container in group["template"]["spec"]["containers"]:
            assert container["resources"]["requests"] == container["resources"]["limits"]
    images = re.findall(r"image: (\S+)", (REPOSITORY / "cluster/rayjob.yaml").read_text(encoding="utf-8"))
    assert len(set(images)) == 1


def test_the_rayjob_runs_a_command_of_ours_on_a_root_every_node_reaches() -> None:
    entrypoint = load("cluster/rayjob.yaml")["spec"]["entrypoint"].split()
    assert entrypoint[:2] == ["gristmill", "run"]
    assert entrypoint[entrypoint.index("--root") + 1].startswith("s3://")


def test_a_second_ray_on_one_machine_has_no_port_of_the_first() -> None:
    """The command of docs/cluster.md, by Ray's own check and beside the ports of a Ray with none given."""
    from ray._private.parameter import RayParams
    from ray.scripts.scripts import start

    text = (REPOSITORY / "docs/cluster.md").read_text(encoding="utf-8")
    command = next(found for found in re.findall(r"`ray start ([^`]*)`", text) if "--min-worker-port" in found)

    def ports(arguments: list[str]) -> set[int]:
        given = start.make_context("start", arguments).params
        names = ("ray_client_server_port", "dashboard_port", "dashboard_agent_listen_port")
        own = {name: given[name] and int(given[name]) for name in (*names, "min_worker_port", "max_worker_port")}
        params = RayParams(gcs_server_port=given["port"] or 6379, **own)
        params.update_pre_selected_port()
        return set(params.reserved_ports)

    first = ports(["--head", "--ray-client-server-port=10001"])
    assert {6379, 8265, 10001, 10002, 19999, 52365} <= first
    assert not first & ports(command.split())
    assert "--disable-usage-stats" in command


def test_the_image_is_made_of_files_that_are_there_and_of_none_that_runs_left() -> None:
    text = (REPOSITORY / "cluster/Dockerfile").read_text(encoding="utf-8")
    for source in re.findall(r"^COPY (?:--\S+ )*(\S+) \S+$", text, re.MULTILINE):
        assert (REPOSITORY / source).exists(), source
    wanted = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["build-system"]["requires"]
    assert "--no-build-isolation" in text
    assert all(requirement in text for requirement in wanted), "what builds the package must be installed before"
    ignored = set((REPOSITORY / ".dockerignore").read_text().split())
    kernels = "stages/kernels/compiled"  # of this machine's Python; the image compiles its own
    assert {".git", ".venv", ".venv-docs", "build", "dist", "demo", kernels} <= ignored
