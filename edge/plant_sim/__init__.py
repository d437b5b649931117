"""The simulated plant: machines behind real protocols, and the people who work at them."""
