"""Where engines listen unless told otherwise, and which variable holds their key."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import NamedTuple

LOOPBACK = "127.0.0.1"


class Habit(NamedTuple):
    """An engine's usual port, and the variable its own server reads a key from."""

    port: int
    key_variable: str | None


HABITS: Mapping[str, Habit] = {
    "vllm": Habit(8000, "VLLM_API_KEY"),
    "sglang": Habit(30000, "SGLANG_API_KEY"),
    "llamacpp": Habit(8080, "LLAMA_API_KEY"),
    "ollama": Habit(11434, None),
    "lmstudio": Habit(1234, "LM_API_TOKEN"),
}


class Place(NamedTuple):
    """One address to look at; the engine is whose habit it is, not yet who answers."""

    host: str
    port: int
    engine: str

    @property
    def origin(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def key_variable(self) -> str | None:
        """Only for this machine: a key is not shown to another one unasked."""
        return HABITS[self.engine].key_variable if is_loopback(self.host) else None


def places(hosts: Sequence[str], ports: Mapping[str, Sequence[int]]) -> tuple[Place, ...]:
    """Every address to look at, each once; `ports` stands in for an engine's habit."""
    found: dict[tuple[str, int], Place] = {}
    for host in hosts:
        for engine, habit in HABITS.items():
            for port in ports.get(engine) or (habit.port,):
                found.setdefault((host, port), Place(host, port, engine))
    return tuple(found.values())


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its name alone."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
