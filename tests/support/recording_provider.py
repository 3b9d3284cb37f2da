"""A Ray node provider that writes down what `ray up` would do, and does none of it.

`ray up` runs in a process of its own with this module on its path; each event is a JSON line in the file that
``provider.record`` names. Nothing is executed, on this machine or another.
"""

from __future__ import annotations

import json
from typing import Any

from ray.autoscaler.command_runner import CommandRunnerInterface
from ray.autoscaler.node_provider import NodeProvider


class RecordingProvider(NodeProvider):
    def __init__(self, provider_config: dict[str, Any], cluster_name: str) -> None:
        super().__init__(provider_config, cluster_name)
        self.nodes: dict[str, dict[str, str]] = {}

    def record(self, **event: Any) -> None:
        with open(self.provider_config["record"], "a", encoding="utf-8") as out:
            out.write(json.dumps(event) + "\n")

    @staticmethod
    def bootstrap_config(cluster_config: dict[str, Any]) -> dict[str, Any]:
        return cluster_config

    def non_terminated_nodes(self, tag_filters: dict[str, str]) -> list[str]:
        return [node for node, tags in self.nodes.items() if tag_filters.items() <= tags.items()]

    def create_node(self, node_config: dict[str, Any], tags: dict[str, str], count: int) -> None:
        self.record(event="create", node_config=node_config, count=count)
        self.nodes[f"node-{len(self.nodes)}"] = dict(tags)

    def node_tags(self, node_id: str) -> dict[str, str]:
        return self.nodes[node_id]

    def set_node_tags(self, node_id: str, tags: dict[str, str]) -> None:
        self.nodes[node_id].update(tags)

    def is_running(self, node_id: str) -> bool:
        return True

    def is_terminated(self, node_id: str) -> bool:
        return False

    def external_ip(self, node_id: str) -> str:
        return "192.0.2.1"  # an address of the documentation range: it leads nowhere

    def internal_ip(self, node_id: str) -> str:
        return "192.0.2.1"

    def get_command_runner(self, *args: Any, **kwargs: Any) -> CommandRunnerInterface:
        return RecordingRunner(self)


class RecordingRunner(CommandRunnerInterface):
    def __init__(self, provider: RecordingProvider) -> None:
        self.provider = provider

    def run(self, cmd: str | None = None, *args: Any, **kwargs: Any) -> str:
        self.provider.record(event="run", command=cmd, environment=kwargs.get("environment_variables"))
        return ""

    def run_rsync_up(self, source: str, target: str, options: dict[str, Any] | None = None) -> None:
        self.provider.record(event="copy", source=source, target=target)

    def run_rsync_down(self, source: str, target: str, options: dict[str, Any] | None = None) -> None:
        self.provider.record(event="fetch", source=source, target=target)

    def run_init(self, *args: Any, **kwargs: Any) -> bool | None:
        return None

    def remote_shell_command_str(self) -> str:
        return "true"
