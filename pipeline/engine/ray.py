"""The one module that imports Ray: tasks as Ray Core tasks, files in and files out.

Nothing of size goes through the object store, ``max_retries=0`` leaves every retry to `pipeline.engine.scheduler`, and
a task reserves one CPU and its stated memory. Without RAY_ADDRESS a local Ray is started (no dashboard, a small object
store, `few_processes`, ``RAY_AUTH_MODE=disabled`` because it listens on loopback only); with it the cluster is joined
as it is. Every node proves that it can read and write the root before work starts (`probe`), and one that comes later
before its first task (`pipeline.engine.node_proof`).
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from pipeline.engine import cpu_limit, memory_limit, node_proof, orphans, start_limit
from pipeline.engine.cluster_size import Size, remembered, size_of
from pipeline.engine.process import prepare_process
from pipeline.engine.scheduler import Outcome, Result, call_job, failure
from pipeline.errors import RunError, UserError
from pipeline.store.storage import Store
from stages import own_modules
from stages.contract import Task
from stages.formats import retries

LOCAL_OBJECT_STORE = 128 << 20
PROBE_SECONDS = 120.0
SLOTS_SECONDS = 5.0
ANSWER_SECONDS = 5.0
MAX_RESTARTS = 3
IDLE_SECONDS = 60.0
LARGER_SECONDS = 300.0
"""How long a node as large as the largest that was there is waited for: an autoscaler replaces one in a few minutes."""
HEAD_SECONDS = 30.0
"""Ray gives its head up after a minute, and the process with it."""
START_SECONDS = 180.0
"""A Ray of this machine starts in seconds, in a minute where the machine does much else; it gives itself up before."""
JOIN_SECONDS = 1800.0
"""A cluster may be busy with the start of many nodes, and its disk slow: only one that never answers takes so long."""
HUNG_SECONDS = 4 * 3600.0
"""Tasks take seconds to minutes; one that is not back after this long waits for something that never comes (a loop in
native code ends sooner: `pipeline.engine.cpu_limit`)."""
_head_lost = False
_watches: list[orphans.Watch] = []
"""Watches over the Ray that was started here: its agents would outlive this process by a minute."""


def connect(workers: int | None) -> None:
    """Join the cluster of RAY_ADDRESS, or start a Ray of ``workers`` CPUs on this machine.

    Raises:
        RunError: when that fails, and in a process that has lost the head of its cluster, which Ray would end.
    """
    if _head_lost:
        raise RunError("this process has lost the head of its cluster and cannot join one again; start a new one")
    cluster = os.environ.get("RAY_ADDRESS")
    if not cluster:
        os.environ["RAY_AUTH_MODE"] = "disabled"
    atexit.register(_end_without_head)  # Ray's own, which comes later, is called before
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    if ray.is_initialized():
        return
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    before = signal.getsignal(signal.SIGTERM)
    where = f"the cluster at RAY_ADDRESS={cluster}" if cluster else "a local Ray"
    seconds = JOIN_SECONDS if cluster else START_SECONDS
    hung = f"gristmill: {where} did not answer in {seconds:.0f} s; run the same command again"
    try:
        with start_limit.within(seconds, f"{hung}; `--engine inline` runs without Ray"):
            _start(cluster, workers, quiet)
    except (ConnectionError, RuntimeError, OSError, ValueError) as error:
        raise RunError(
            f"cannot start {where}: {str(error).splitlines()[0]}{start_limit.without_room()};"
            " `--engine inline` runs without Ray"
        ) from error
    if not cluster:
        _watches.append(orphans.Watch(orphans.children(local_node().all_processes["raylet"][0].process.pid)))
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)  # Ray has one of its own, which ends with another code


def _start(cluster: str | None, workers: int | None, quiet: dict[str, Any]) -> None:
    import ray

    if cluster:
        ray.init(**quiet)
        return
    with few_processes():
        ray.init(
            address="local",
            num_cpus=workers or len(os.sched_getaffinity(0)),
            object_store_memory=LOCAL_OBJECT_STORE,
            include_dashboard=False,
            **quiet,
        )


@contextmanager
def few_processes() -> Iterator[None]:
    """A Ray that starts meanwhile has none of the processes that scale a cluster, carry log lines to the driver and
    serve a dashboard: on one machine nobody asks them, and they are two fifths of the CPU of a start.

    ``ray.init`` has no word to leave them out (``ray start`` has two).
    """
    from ray._private import node

    class Few(node.Node):
        def start_monitor(self) -> None:
            pass

        def start_log_monitor(self) -> None:
            pass

        def start_api_server(self, **_: Any) -> None:
            pass

    before = node.Node
    setattr(node, "Node", Few)  # noqa: B010 - to a type checker a class is no variable
    try:
        yield
    finally:
        setattr(node, "Node", before)  # noqa: B010


@dataclass
class Attempt:
    """A task under way: its index, the memory and GPUs it asked for, and since when it may be hung."""

    index: int
    memory: int
    gpus: float
    since: float


class RayExecutor:
    """Executor over a Ray that is already connected."""

    name = "ray"

    def __init__(self, root: str, workers: int | None = None, say: Callable[[str], None] = lambda _: None) -> None:
        connect(workers)
        import ray

        self._ray = ray
        self._root = root
        self._limit = workers
        self._say = say
        self._remote = ray.remote(num_cpus=1, max_retries=0)(_run)
        self._running: dict[Any, Attempt] = {}
        self._unsent: list[int] = []
        self._size = self._ask_size()
        self._sized = self._largest_at = time.monotonic()
        self._largest = self._size.memory if self._size.works else 0
        """Memory of the largest node that took tasks, of those that are there or were within `LARGER_SECONDS`."""
        self._there = self._said_of = self._size.memory
        """Memory of the largest node that is there, and that of which was said that tasks wait for a larger one."""
        self._head = ray.get_runtime_context().gcs_address
        self._lost_here = False
        self._restarts = 0
        self._asked = self._heard = self._idle_since = time.monotonic()
        self._gpus_since = time.monotonic() - IDLE_SECONDS
        self._proof = node_proof.expected(Store(root)) if os.environ.get("RAY_ADDRESS") else {}
        if self._proof:
            probe(root, self._proof)

    def cpus(self) -> int:
        """CPUs of the cluster now, of those that the run may have; none before the first node came."""
        cpus = self._measured().cpus
        return min(cpus, self._limit or cpus)

    def slots(self) -> int:
        """`cpus`, at least 1: nodes come and go."""
        return max(1, self.cpus())

    def submit(self, index: int, task: Task) -> None:
        if head_died():
            self._unsent.append(index)
            return
        memory = min(task.memory, self._measured().memory)
        options = {"memory": memory, "name": task.label} | ({"num_gpus": task.gpus} if task.gpus else {})
        remote = self._remote.options(**options)
        ref = remote.remote(self._root, task.job, task.args, own_modules.packed(), self._proof, memory)
        self._running[ref] = Attempt(index, memory, task.gpus, time.monotonic())

    def _measured(self) -> Size:
        """The size of the cluster, at most `SLOTS_SECONDS` old. The Ray of this machine keeps its size and is asked
        once: asking a head that has died would wait until Ray ends this process, so the head of a cluster is asked only
        where it answers."""
        if os.environ.get("RAY_ADDRESS") and time.monotonic() - self._sized > SLOTS_SECONDS:
            self._sized = time.monotonic()
            if self._head_problem() is not None:
                return self._size
            size = self._ask_size()
            self._there = size.memory
            memory = remembered(self._largest, size, self._sized - self._largest_at > LARGER_SECONDS)
            if size.works and memory == size.memory:
                self._largest, self._largest_at = memory, self._sized
            self._size = size._replace(memory=memory)
        return self._size

    def _ask_size(self) -> Size:
        return size_of(node["Resources"] for node in self._ray.nodes() if node["Alive"])

    def wait(self, seconds: float) -> list[Outcome]:
        if self._lost_here or head_died():
            return self._start_again()
        self._listen()
        if too_large := self._too_large():
            return too_large
        ready, late = self._ray.wait(list(self._running), num_returns=1, timeout=seconds, fetch_local=False)
        for ref in late:
            if time.monotonic() - self._running[ref].since > HUNG_SECONDS:
                self._ray.cancel(ref, force=True)  # comes back as a crash: tried again, then isolated
        return [self._outcome(ref) for ref in ready]

    def _too_large(self) -> list[Outcome]:
        """Tasks taken back because no node is left that has the memory they asked for, and none came for
        `LARGER_SECONDS`: they would wait for ever."""
        size = self._measured()
        if size.works:
            self._idle_since = time.monotonic()
        elif time.monotonic() - self._idle_since > IDLE_SECONDS:
            self._say(f"no node of the cluster has a CPU; tasks that wait for one: {len(self._running)}")
            self._idle_since = time.monotonic()
            self._may_wait(self._running)
        larger = sum(self._there < attempt.memory <= size.memory for attempt in self._running.values())
        if size.cpus and larger and self._there != self._said_of:
            self._say(f"tasks that wait {LARGER_SECONDS:.0f} s at most for a node as large as they ask for: {larger}")
            self._said_of = self._there
        lost = [ref for ref, attempt in self._running.items() if size.cpus and attempt.memory > size.memory]
        for ref in lost:
            self._ray.cancel(ref, force=True)
        gone = "no node is left with the memory it asked for"
        taken = [Outcome(self._running.pop(ref).index, "node", message=gone) for ref in lost]
        return [*taken, *self._without_gpus(size)]

    def _without_gpus(self, size: Size) -> list[Outcome]:
        """Tasks of a Ray of this machine that ask for more GPUs than it has, which fail; on a cluster, where a node may
        come that has them, it is said that they wait."""
        waiting = [ref for ref, attempt in self._running.items() if size.works and attempt.gpus > size.gpus]
        if not waiting:
            self._gpus_since = time.monotonic() - IDLE_SECONDS
        elif not os.environ.get("RAY_ADDRESS"):
            for ref in waiting:
                self._ray.cancel(ref, force=True)
            asks = f"it asks for {self._running[waiting[0]].gpus:g} GPU and this machine has {size.gpus:g}"
            hint = "set its `gpus` to what there is, or run where there are more"
            return [Outcome(self._running.pop(ref).index, "error", message=f"{asks}; {hint}") for ref in waiting]
        elif time.monotonic() - self._gpus_since >= IDLE_SECONDS:
            most = max(self._running[ref].gpus for ref in waiting)
            self._say(
                f"no node of the cluster has the {most:g} GPU that a task asks for; tasks that wait: {len(waiting)}"
            )
            self._gpus_since = time.monotonic()
            self._may_wait(waiting)
        return []

    def _may_wait(self, refs: Iterable[Any]) -> None:
        """These tasks wait for a node, and are not hung."""
        for ref in refs:
            self._running[ref].since = time.monotonic()

    def _start_again(self) -> list[Outcome]:
        """Start the Ray of this machine anew after its raylet died; every task under way counts as lost."""
        self._restarts += 1
        if os.environ.get("RAY_ADDRESS") or self._restarts > MAX_RESTARTS:
            raise RunError("Ray's own processes on this machine died; run the same command again to continue")
        under_way = [*(attempt.index for attempt in self._running.values()), *self._unsent]
        lost = [Outcome(index, "node", message="Ray is started again") for index in under_way]
        self._unsent.clear()
        self._running.clear()
        shutdown()
        connect(self._limit)
        self._lost_here = False
        return lost

    def _listen(self) -> None:
        """On a cluster, see that its head is there: Ray itself would end this process a minute after it went.

        Raises:
            RunError: when it has not answered for `HEAD_SECONDS`.
        """
        now = time.monotonic()
        if not os.environ.get("RAY_ADDRESS") or now - self._asked < SLOTS_SECONDS:
            return
        self._asked = now
        error = self._head_problem()
        if error is None:
            self._heard = time.monotonic()
        elif now - self._heard > HEAD_SECONDS:
            _leave_without_head()
            raise RunError(
                f"the head of the cluster at {self._head} does not answer any more ({error}); start it again, then"
                " run the same command again to continue"
            ) from error

    def _head_problem(self) -> OSError | None:
        """Why the head of the cluster does not answer; None where it does."""
        host, _, port = self._head.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), ANSWER_SECONDS).close()
        except OSError as error:
            return error
        return None

    def _outcome(self, ref: Any) -> Outcome:
        attempt = self._running.pop(ref)
        index, asked = attempt.index, attempt.memory
        errors = self._ray.exceptions
        try:
            value, cost, files = self._ray.get(ref)
        except errors.OutOfMemoryError:
            return Outcome(index, "memory", message="it was killed because its node ran out of memory", asked=asked)
        except errors.LocalRayletDiedError:
            self._lost_here = True
            return Outcome(index, "node", message="Ray's own process on this machine died")
        except (errors.NodeDiedError, errors.ObjectLostError, errors.RaySystemError) as error:
            return Outcome(index, "node", message=f"its node was lost ({type(error).__name__})")
        except errors.WorkerCrashedError:
            return Outcome(index, "crash", message="its process died")
        except errors.RayTaskError as error:
            outcome = failure(index, error.cause if error.cause is not None else error)
            return replace(outcome, trace=str(error), asked=asked)
        except errors.RayError as error:
            return Outcome(index, "crash", message=f"{type(error).__name__}: {str(error).splitlines()[0]}")
        retries.add(int(cost["requests_again"]))
        return Outcome(index, "done", value, cost, files)

    def cancel(self) -> None:
        for ref in self._running:
            self._ray.cancel(ref, force=True)
        self._running.clear()


def _run(
    root: str, job: str, args: dict[str, Any], modules: dict[str, bytes], proof: dict[str, str], memory: int
) -> Result:
    prepare_process()
    if proof:
        node_proof.check(Store(root), proof)
    if modules:  # of the user's own, from beside the mixture file, which may lie on another machine
        own_modules.unpack(modules)
    cpu_limit.allow()
    memory_limit.reserve(memory)
    try:
        return call_job(root, job, args)
    finally:
        cpu_limit.disarm()


def probe(root: str, proof: dict[str, str]) -> None:
    """Every node that is there proves itself (`node_proof`) and writes a file under the root that is seen here.

    Raises:
        UserError: when a node cannot, which is what a node-local root, a missing right or another version looks like.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU", 0) > 0]
    store = Store(root)
    remote = ray.remote(num_cpus=0, max_retries=0)(_probe_node)
    answers = {}
    for node in nodes:
        strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ref = remote.options(scheduling_strategy=strategy).remote(root, proof, node["NodeID"])
        answers[ref] = node["NodeManagerAddress"]
    if not answers:
        return
    ready, late = ray.wait(list(answers), num_returns=len(answers), timeout=PROBE_SECONDS)
    problems = [f"{answers[ref]}: no answer in {PROBE_SECONDS:.0f} s" for ref in late]
    for ref in ready:
        try:
            answer = ray.get(ref)
        except ray.exceptions.RayError as error:
            answer = str(error).splitlines()[0]
        if isinstance(answer, str):
            problems.append(f"{answers[ref]}: {answer}")
        elif not store.exists(f"{proof['address']}-{answer['node']}"):
            problems.append(f"{answers[ref]}: wrote a file nobody else sees: {node_proof.SHARED}")
    if problems:
        raise UserError(f"root {root} is not shared by all nodes, or these differ ({'; '.join(problems[:3])})")


def _probe_node(root: str, proof: dict[str, str], node: str) -> dict[str, str] | str:
    store = Store(root)
    try:
        node_proof.check(store, proof)
        store.write_bytes(f"{proof['address']}-{node}", proof["token"].encode())
    except (OSError, RunError) as error:
        return str(error).splitlines()[0]
    return {"node": node}


def local_node() -> Any:
    """The processes of the Ray that was started here; None without one."""
    import ray

    return None if os.environ.get("RAY_ADDRESS") else ray._private.worker._global_node


def head_died() -> bool:
    """Whether the control process (``gcs_server``) of the Ray that was started here is gone."""
    node = local_node()
    servers = node.all_processes.get("gcs_server", []) if node is not None else []
    return any(server.process.poll() is not None for server in servers)


def _leave_without_head() -> None:
    """Take no leave of a cluster whose head is gone: Ray would end this process while it waits for that, before the run
    has said why it ends and has given up its root."""
    global _head_lost
    from ray._private import worker

    _head_lost = True
    atexit.unregister(worker.shutdown)


def _end_without_head() -> None:
    """End a failed process before Ray's native code takes itself apart, which crashes when the head is gone."""
    if _head_lost:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)


def shutdown() -> None:
    """Leave Ray, and stop it if it was started here."""
    import ray

    if ray.is_initialized() and not _head_lost:
        if head_died():  # the others would wait for it, and end this process with them
            local_node().kill_all_processes(check_alive=False, allow_graceful=False)
        ray.shutdown()
        while _watches:
            _watches.pop().close()
