"""Checks of one finished answer: compiled once from a task's specs, run on every attempt."""

from pointsman.verifiers.checking import Verifier, compile_verifier, run_verifiers

__all__ = ["Verifier", "compile_verifier", "run_verifiers"]
