"""How to speak to a deployment: protocol, engine dialects, the embedded engine."""
