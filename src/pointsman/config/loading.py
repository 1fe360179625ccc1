"""From a path or a text to a Configuration, or to one error that names everything wrong."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from pointsman.config.decoding import decode
from pointsman.config.including import Reading, read_with_includes
from pointsman.config.nodes import MapNode
from pointsman.config.problems import Problems, Source
from pointsman.config.reading import decode as decode_bytes
from pointsman.config.reading import read_bounded
from pointsman.config.resolving import resolve
from pointsman.config.schema import RawConfiguration
from pointsman.config.scope import Scope
from pointsman.domain.errors import ConfigurationError
from pointsman.domain.task import Configuration


class Loaded(NamedTuple):
    """A configuration, and the nodes it came from."""

    config: Configuration
    root: MapNode


def load(path: Path, *, env: Mapping[str, str]) -> Configuration:
    """The configuration in a file; `env` is what `${NAME}` reads.

    Raises: ConfigurationError with every problem, each as `file:line:column: what`.
    """
    return load_placed(path, env=env).config


def load_placed(path: Path, *, env: Mapping[str, str]) -> Loaded:
    """The same, with the places of everything the file says. Raises: as `load`."""
    try:
        data = read_bounded(path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"cannot read {path}",
            why=getattr(error, "strerror", None) or str(error),
            next="name the file that holds your deployments",
        ) from None
    source = Source(str(path), path.parent)
    problems = Problems(source)
    text = decode_bytes(data, source, problems)
    problems.raise_if_any()
    config, root = _configuration(text or "", source, env, path)
    return Loaded(msgspec.structs.replace(config, folder=str(path.parent.absolute())), root)


def parse(
    text: str,
    *,
    name: str = "pointsman.yaml",
    env: Mapping[str, str] | None = None,
    base: Path | None = None,
) -> Configuration:
    """The configuration in a text. `base` is the folder its includes and files start from.

    Raises: ConfigurationError as `load`; without a base, a file reference is a problem.
    """
    source = Source(name, base)
    problems = Problems(source)
    decode_bytes(text.encode("utf-8", "surrogatepass"), source, problems)
    problems.raise_if_any()
    return _configuration(text.removeprefix("\ufeff"), source, env or {}, None).config


def _configuration(text: str, source: Source, env: Mapping[str, str], path: Path | None) -> Loaded:
    problems = Problems(source)
    root = read_with_includes(text, source, Reading(env, problems), path=path)
    if root is None:
        problems.raise_if_any()
    assert root is not None, "a file that cannot be read leaves a problem"
    raw = decode(root, RawConfiguration, problems)
    if raw is None:
        problems.raise_if_any()
    assert raw is not None, "a file that cannot be decoded leaves a problem"
    config = resolve(raw, Scope(root, problems))
    problems.raise_if_any()
    looked_at = problems.looked_at | ({path} if path is not None else set())
    files = tuple(sorted(str(item.absolute()) for item in looked_at))
    return Loaded(msgspec.structs.replace(config, files=files), root)
