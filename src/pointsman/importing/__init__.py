"""Other gateways' configurations as ours: text in, text and notes out; nothing is read or asked."""
