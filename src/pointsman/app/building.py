"""From a configuration to the parts that serve it, and the record that it came into force."""

import logging
import os
from collections.abc import Mapping

import msgspec

from pointsman import __version__
from pointsman.backends.http_tls import TlsContexts
from pointsman.backends.http_ways import Ways
from pointsman.config import as_json
from pointsman.domain.records import ConfigRecord
from pointsman.domain.task import Configuration
from pointsman.governing.governor import Governor
from pointsman.governing.guards import registry_of
from pointsman.journal import (
    JournalWriter,
    recover_all,
)

log = logging.getLogger("pointsman")


def governor_of(config: Configuration) -> Governor | None:
    """What asks the policies; None where there are none. Raises: ConfigurationError."""
    if not config.policies:
        return None
    governor = Governor(config.policies, registry_of(config.guards))
    governor.prepare()
    return governor


def ways(config: Configuration, env: Mapping[str, str]) -> Ways:
    """By which way deployments are reached. Raises: ConfigurationError for an unusable proxy."""
    return Ways(env, config.placed)


def checked_contexts(config: Configuration, ways: Ways) -> TlsContexts:
    """The TLS of every deployment that has its own. Raises: ConfigurationError."""
    contexts = TlsContexts()
    for deployment in config.deployments.values():
        ways.check(deployment, contexts)
    return contexts


def mend_journal(root: str | os.PathLike[str]) -> None:
    """Cut off what a killed process left half written, and say so; what it cut is kept beside."""
    try:
        found = recover_all(root)
    except OSError as error:
        log.warning("the journal could not be recovered: %s", error)
        return
    for name, what in found.items():
        if what.state == "cut":
            kept = what.cut_file.name if what.cut_file else "nothing"
            log.warning("journal: cut %d bytes off %s, kept as %s", what.cut_bytes, name, kept)


def record_configuration(journal: JournalWriter, config: Configuration, at_us: int) -> None:
    """Write the configuration in force, without secrets, so that traces can name its digest."""
    text = msgspec.json.encode(as_json(config)).decode()
    journal.append(ConfigRecord(at_us=at_us, digest=config.digest, version=__version__, text=text))
