"""How hard a search may try."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard to search.

    It has one of three measures. `seconds` alone are counted, in moves and in CP-SAT's deterministic time:
    the same problem gives the same plan under any load, sooner or later. `moves` are counted too. With
    `clocked` the seconds are CPU seconds of this process, and the plan is another one each time.

    Args:
        seconds: About how long a search may take on two idle cores (3 to 5 CPU seconds for 2); 0 leaves
            it out.
        workers: CP-SAT search strategies that take turns.
        kernel: Use the compiled kernel; only in the solver's own process.
        chains: Searches of the kernel side by side; the plan depends on their number, not on that
            of the cores.
        clocked: `seconds` are CPU seconds of this process, all that runs side by side together.
        moves: Instead of `seconds`, moves of each chain of the annealing or the tabu search if all the
            effort were its own; what goes to CP-SAT is as long by its own count.
    """

    seconds: float = 5.0
    workers: int = 4
    seed: int = 1
    kernel: bool = False
    chains: int = 2
    clocked: bool = False
    moves: int | None = None
