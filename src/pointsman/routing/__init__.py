"""Features to plan: rules, cascades, gates. Decides; does no I/O."""
