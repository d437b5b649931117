"""One file per protocol; each is found by its entry point in `edge.drivers`."""
