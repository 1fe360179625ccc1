"""Text that tries to command the model: injections, jailbreaks, requests for harm."""
