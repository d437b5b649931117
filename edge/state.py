"""The PackML state machine, as a pure function over its table.

Source: ISA-TR88.00.02-2022, base state model; the same model in OPC 30050.
"""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType


class State(IntEnum):
    """PackML states by their number in the 2022 edition; a machine may number them otherwise."""

    UNDEFINED = 0
    CLEARING = 1
    STOPPED = 2
    STARTING = 3
    IDLE = 4
    SUSPENDED = 5
    EXECUTE = 6
    STOPPING = 7
    ABORTING = 8
    ABORTED = 9
    HOLDING = 10
    HELD = 11
    UNHOLDING = 12
    SUSPENDING = 13
    UNSUSPENDING = 14
    RESETTING = 15
    COMPLETING = 16
    COMPLETE = 17

    @property
    def label(self) -> str:
        """The state's name as the standard writes it, such as `Execute`."""
        return self.name.capitalize()


class Command(IntEnum):
    """PackML commands by their number."""

    RESET = 1
    START = 2
    STOP = 3
    HOLD = 4
    UNHOLD = 5
    SUSPEND = 6
    UNSUSPEND = 7
    ABORT = 8
    CLEAR = 9
    COMPLETE = 10


class CommandRefused(ValueError):
    """The machine does not take this command in the state it is in."""


COMPLETES = MappingProxyType(
    {
        State.CLEARING: State.STOPPED,
        State.STARTING: State.EXECUTE,
        State.STOPPING: State.STOPPED,
        State.ABORTING: State.ABORTED,
        State.HOLDING: State.HELD,
        State.UNHOLDING: State.EXECUTE,
        State.SUSPENDING: State.SUSPENDED,
        State.UNSUSPENDING: State.EXECUTE,
        State.RESETTING: State.IDLE,
        State.COMPLETING: State.COMPLETE,
    }
)
"""Where an acting state goes by itself when its work is done."""

_STEPS = {
    Command.RESET: ({State.STOPPED, State.COMPLETE}, State.RESETTING),
    Command.START: ({State.IDLE}, State.STARTING),
    Command.CLEAR: ({State.ABORTED}, State.CLEARING),
    Command.UNHOLD: ({State.HELD}, State.UNHOLDING),
    Command.SUSPEND: ({State.EXECUTE}, State.SUSPENDING),
    Command.UNSUSPEND: ({State.SUSPENDED}, State.UNSUSPENDING),
    Command.HOLD: ({State.EXECUTE, State.SUSPENDED}, State.HOLDING),
    Command.COMPLETE: ({State.EXECUTE, State.SUSPENDED, State.HELD}, State.COMPLETING),
}
_NOT_STOPPABLE = {
    State.UNDEFINED,
    State.CLEARING,
    State.STOPPED,
    State.STOPPING,
    State.ABORTING,
    State.ABORTED,
}
_NOT_ABORTABLE = {State.UNDEFINED, State.ABORTING, State.ABORTED}

TRANSITIONS = MappingProxyType(
    {(state, command): to for command, (states, to) in _STEPS.items() for state in states}
    | {(state, Command.STOP): State.STOPPING for state in set(State) - _NOT_STOPPABLE}
    | {(state, Command.ABORT): State.ABORTING for state in set(State) - _NOT_ABORTABLE}
)
"""Every accepted pair of state and command; all others are refused."""


def after(state: State, command: Command) -> State:
    """Return the state that `command` leads to.

    Raises:
        CommandRefused: The standard has no such edge.
    """
    try:
        return TRANSITIONS[state, command]
    except KeyError:
        raise CommandRefused(f"{command.name} in {state.label}") from None


def completed(state: State) -> State:
    """Return the state after the work of an acting state is done; others stay as they are."""
    return COMPLETES.get(state, state)
