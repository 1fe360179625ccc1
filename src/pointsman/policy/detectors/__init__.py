"""Detectors behind the protocol of `policy/finding.py`: a text in, a judgement out. Pure."""
