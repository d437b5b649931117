"""How hard a search may try."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to search.

    Args:
        seconds: About how long a search may take on two idle cores; 0 leaves it out. Counted in
            the solver's deterministic time and in moves: the same problem gives the same plan
            under any load.
        workers: CP-SAT search strategies that take turns.
        kernel: Use the compiled kernel; only in the solver's own process.
        chains: Searches of the kernel side by side; the plan depends on their number, not on that
            of the cores.
        clocked: `seconds` are CPU seconds of this process, all that runs side by side together.
    """

    seconds: float = 5.0
    workers: int = 4
    seed: int = 1
    kernel: bool = False
    chains: int = 2
    clocked: bool = False
