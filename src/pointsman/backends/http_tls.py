"""TLS towards upstreams: whom to trust, what to show, and what a failed handshake means."""

import os
import ssl as tls
import stat

from pointsman.domain.errors import ConfigurationError
from pointsman.domain.transport import UpstreamTls

_PLAIN = UpstreamTls()


class TlsContexts:
    """One context for every way of trusting, made when first needed."""

    def __init__(self) -> None:
        self._made: dict[UpstreamTls, tls.SSLContext] = {}

    def of(self, said: UpstreamTls | None, *, place: str = "tls") -> tls.SSLContext:
        """The context of a deployment's settings, whose paths are absolute.

        Raises: ConfigurationError for a file that is not what it must be; `place` names it.
        """
        said = said or _PLAIN
        context = self._made.get(said)
        if context is None:
            context = self._made[said] = upstream_context(said, place=place)
        return context


def upstream_context(said: UpstreamTls, *, place: str) -> tls.SSLContext:
    """Verifies certificate and name, unless told not to. Raises: ConfigurationError."""
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.minimum_version = tls.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if not said.verify:
        context.check_hostname = False
        context.verify_mode = tls.CERT_NONE
    elif said.ca is None:
        context.load_default_certs()
    else:
        trust(context, said.ca, place=f"{place}.ca")
    if said.cert is not None:
        show(context, said.cert, said.key, place=place)
    return context


def trust(context: tls.SSLContext, path: str, *, place: str) -> None:
    """Trust the certificates in a PEM file. Raises: ConfigurationError."""
    try:
        context.load_verify_locations(cafile=path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{place}: no certificates can be read from {path}",
            why=_said(error),
            next="name a PEM file with at least one CERTIFICATE block",
        ) from None


def show(context: tls.SSLContext, cert: str, key: str | None, *, place: str) -> None:
    """Show this certificate. Raises: ConfigurationError, also for a key that others may read."""
    check_key_file(key or cert, place=f"{place}.key" if key else f"{place}.cert")
    try:
        context.load_cert_chain(cert, key, password=_no_password)
    except (OSError, ValueError) as error:
        why = _said(error)
        if isinstance(error, tls.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
            why = "the key is not this certificate's"
        elif isinstance(error, _Encrypted):
            why = "the key is encrypted, and nobody is here to type its passphrase"
        raise ConfigurationError(
            f"{place}: certificate {cert} and its key cannot be used",
            why=why,
            next="name PEM files of a certificate (its chain behind it) and of its bare key",
        ) from None


def check_key_file(path: str, *, place: str) -> None:
    """Raises: ConfigurationError for a key that is not there or that anybody may read."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"{place}: {path} cannot be read", why=_said(error), next="name the PEM file"
        ) from None
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        raise ConfigurationError(
            f"{place}: {path} is open to every user of this machine",
            why=f"its mode is {stat.S_IMODE(mode):04o}; a private key is its owner's alone",
            next=f"chmod 600 {path}, and have a key made anew if others may have read it",
        )


def handshake_failure(error: OSError) -> str:
    """Why a TLS handshake failed, in words: the certificate first, where it is the reason."""
    if isinstance(error, tls.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message.rstrip('.')}"
    if isinstance(error, tls.SSLError):
        reason = (error.reason or str(error)).lower().replace("_", " ")
        if "alert" in reason and "certificate" in reason:
            return f"it does not accept our certificate: {reason}"
        return f"no TLS: {reason}"
    return error.strerror or str(error) or type(error).__name__


class _Encrypted(ValueError):
    """A passphrase was asked for."""


def _no_password() -> str:
    raise _Encrypted


def _said(error: OSError | ValueError) -> str:
    if isinstance(error, tls.SSLError):
        return (error.reason or "not PEM").lower().replace("_", " ")
    return getattr(error, "strerror", None) or str(error)
