"""Performance analysis: machine states and counts as facts, and the ISO 22400 figures made of them."""
