"""Every detector of the package by name, made when it is asked for."""

from collections.abc import Callable, Mapping
from importlib import import_module

from pointsman.policy.finding import Detector

# name -> (module, class, what it looks for)
_DETECTORS: Mapping[str, tuple[str, str, str]] = {
    "injection": ("injection.detector", "Injection", "injections, jailbreaks, requests for harm"),
    "exfiltration": ("exfiltration", "Exfiltration", "links and images that carry data away"),
    "pii": ("pii.detector", "PersonalData", "structured personal data"),
    "plain": ("plain", "PlainForms", "personal identifiers and secrets by form, exact in streams"),
    "unsafe_code": ("code", "UnsafeCode", "calls that run, delete or send what they should not"),
    "secrets": ("secrets.detector", "Secrets", "tokens, keys, passwords"),
}
NAMES = tuple(_DETECTORS)


def detector(name: str) -> Detector:
    """The detector of that name as it is shipped. Raises: KeyError for a name that is not known."""
    module, kind, _ = _DETECTORS[name]
    make: Callable[[], Detector] = getattr(
        import_module(f"pointsman.policy.detectors.{module}"), kind
    )
    return make()


def looks_for(name: str) -> str:
    """In a few words, what the detector of that name finds."""
    return _DETECTORS[name][2]
