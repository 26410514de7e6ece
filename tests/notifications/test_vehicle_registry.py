"""The registry of vehicles in memory: bounded, the latest used kept."""

from stellantis_hal.notifications.inbox import EventVehicle
from stellantis_hal.notifications.vehicle_registry import VehicleRegistry


def vehicle(number: int) -> EventVehicle:
    return EventVehicle(vin=f"VIN{number}", vehicle_id=f"v{number}")


def test_months_of_commands_do_not_fill_the_memory() -> None:
    """A monitor is registered once; its events keep it known."""
    registry, command = VehicleRegistry(), vehicle(1)
    registry.register("monitor", vehicle(0))
    registry.register("silent", vehicle(0))
    for number in range(100_000):
        if number == 50_000:
            assert registry.find("monitor") == vehicle(0)
        registry.register(f"r{number}", command)
    assert registry.find("monitor") == vehicle(0)
    assert registry.find("silent") is None
    assert registry.find("r0") is None
    assert registry.find("r99999") == command
    assert registry.find(None) is None


def test_what_is_recorded_of_a_vehicle_is_forgotten() -> None:
    registry = VehicleRegistry()
    for number in range(4):
        registry.register(f"m{number}", vehicle(number))
    assert registry.forget({"VIN1"}, {"v2"}) == {"m1", "m2"}
    assert [registry.find(f"m{number}") for number in range(4)] == [vehicle(0), None, None, vehicle(3)]
