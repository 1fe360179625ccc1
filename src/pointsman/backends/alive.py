"""Whether an engine is there: one cheap question that calls no model."""

from pointsman.backends.address import Address
from pointsman.backends.dialects import ENGINES
from pointsman.backends.http_pool import HttpPool, Origin, WireError
from pointsman.domain.portfolio import Deployment

_MOST_BYTES = 4 * 1024 * 1024  # a hosted list of models is a few hundred kB


async def is_alive(pool: HttpPool, deployment: Deployment, address: Address) -> bool:
    """Ask the engine by its own way (`Dialect.alive`), or at `probe.path`; `/models` else.

    Any answer below 500 but 429 says that somebody is there: a refused key or a path that is not
    known is an answer too.
    """
    rules = deployment.probe
    path = rules.path or ENGINES[deployment.engine].alive
    base_url, target = address.base_url, "/models"
    if path is not None:
        base_url, target = base_url.removesuffix("/v1"), path
    headers = [(b"accept", b"*/*")]
    if address.api_key:
        headers.append((b"authorization", b"Bearer " + address.api_key.encode()))
    try:
        response = await pool.request(
            Origin.parse(base_url, address.way),
            b"GET",
            target,
            headers,
            b"",
            connect_timeout_s=rules.timeout_s,
            first_byte_timeout_s=rules.timeout_s,
            total_timeout_s=rules.timeout_s,
        )
        with response:
            await response.read(limit=_MOST_BYTES, timeout_s=rules.timeout_s)
    except WireError:
        return False
    return response.status < 500 and response.status != 429
