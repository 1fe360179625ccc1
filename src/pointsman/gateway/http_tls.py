"""TLS of the door: what it shows, and whom it asks for a certificate."""

import ssl as tls
from collections.abc import Callable

from pointsman.backends.http_tls import show, trust
from pointsman.domain.transport import DoorTls


def door_context(said: DoorTls, placed: Callable[[str], str]) -> tls.SSLContext:
    """TLS 1.2 or newer, HTTP/1.1 alone; with `client_ca` clients must show a certificate.

    Args: placed makes a path of the configuration one that is right from anywhere.
    Raises: ConfigurationError for a file that is not what it must be, or a key others may read.
    """
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.minimum_version = tls.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.options |= tls.OP_NO_RENEGOTIATION | tls.OP_CIPHER_SERVER_PREFERENCE
    show(context, placed(said.cert), placed(said.key), place="server.tls")
    if said.client_ca is not None:
        trust(context, placed(said.client_ca), place="server.tls.client_ca")
        context.verify_mode = tls.CERT_REQUIRED
    return context
