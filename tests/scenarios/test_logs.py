"""What a plant writes about itself may be shown to anybody who helps."""

from tests.fixtures.plant import RunningPlant


async def test_no_log_of_a_plant_lets_its_reader_sign_in(
    running_plant: RunningPlant,
) -> None:
    logs = sorted((running_plant.home / "logs").glob("*.log"))
    assert logs
    assert [log.name for log in logs if "token=" in log.read_text(encoding="utf-8")] == []
