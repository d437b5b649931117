import json
from pathlib import Path

import pytest

from edge.state import COMPLETES, TRANSITIONS, Command, CommandRefused, State, after, completed

ORACLE = json.loads((Path(__file__).parents[2] / "data/oracles/packml_2022.json").read_text())


def test_states_and_commands_have_the_numbers_of_the_standard() -> None:
    assert {str(int(state)): state.label for state in State} == ORACLE["states"]
    assert {str(int(command)): command.name.capitalize() for command in Command} == ORACLE["commands"]


def test_accepted_pairs_are_exactly_those_of_the_standard() -> None:
    expected = {(edge["from"], edge["command"], edge["to"]) for edge in ORACLE["command_edges"]}
    found = {
        (state.label, command.name.capitalize(), to.label) for (state, command), to in TRANSITIONS.items()
    }
    assert found == expected


def test_acting_states_complete_as_the_standard_says() -> None:
    found = {state.label: to.label for state, to in COMPLETES.items()}
    assert found == ORACLE["state_complete"]


def test_every_other_pair_is_refused() -> None:
    real = set(State) - {State.UNDEFINED}
    refused = 0
    for state in real:
        for command in Command:
            if (state, command) not in TRANSITIONS:
                with pytest.raises(CommandRefused):
                    after(state, command)
                refused += 1
    assert refused == len(real) * len(Command) - len(ORACLE["command_edges"])


def test_a_waiting_state_stays() -> None:
    assert completed(State.EXECUTE) is State.EXECUTE
