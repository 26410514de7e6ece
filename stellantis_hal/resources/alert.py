"""Alerts: warnings of the vehicle."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import attrs

from stellantis_hal.resources.cross_checks import check_period
from stellantis_hal.resources.position import Position
from stellantis_hal.structuring.field_mapping import names
from stellantis_hal.structuring.open_enum import OpenEnum
from stellantis_hal.structuring.problems import ConsistencyCheck
from stellantis_hal.structuring.typed_resource import TypedResource

__all__ = ["Alert", "AlertSeverity", "AlertType"]


class AlertSeverity(OpenEnum):
    """How urgent it is."""

    INFORMATION = "Information"
    WARNING = "Warning"
    CRITICAL = "Critical"


class AlertType(OpenEnum):
    """What the vehicle warns of, misspelt where the vendor does."""

    ABS_BRAKING_SYSTEM_FAULT = "AbsBrakingSystemFault"
    ACTIVE_SPOILER_FAULT = "ActiveSpoilerFault"
    AD_BLUE_FAULT = "AdBlueFault"
    AD_BLUE_FAULT_STARTING_IMPOSSIBLE = "AdBlueFaultStartingImpossible"
    AD_BLUE_FAULT_STARTING_IMPOSSIBLE_SOON = "AdBlueFaultStartingImpossibleSoon"
    ADD_WASHER_FLUID = "AddWasherFluid"
    AIRBAG_OR_SEAT_BELT_PRETENSIONER_OR_ACTIVE_HOOD_FAILURE = "AirbagOrSeatBeltPretensionerOrActiveHoodFailure"
    ASSISTANCE_BUTTON_FAULT = "AssistanceButtonFault"
    AUTOMATIC_BRAKING_DEACTIVATED = "AutomaticBrakingDeactivated"
    AUTOMATIC_HEADLIGHT_ADJUSTMENT_FAULT = "AutomaticHeadlightAdjustmentFault"
    BATTERY_CHARGE_OR_ELECTRICAL_CIRCUIT_SYSTEM_FAILURE = "BatteryChargeOrElectricalCircuitSystemFailure"
    BRAKING_SYSTEM_FAILURE = "BrakingSystemFailure"
    CHARGING_FAILURE = "ChargingFailure"
    CHECK_THE_CENTER_BRAKE_LAMP = "CheckTheCenterBrakeLamp"
    COLLISION_DETECTION_SYSTEM_FAULT = "CollisionDetectionSystemFault"
    COLLISION_MITIGATION_SYSTEM_FAULT = "CollisionMitigationSystemFault"
    COOLANT_LEVELLOW = "CoolantLevellow"
    DRIVING_ASSISTANCE_SENSOR_BLIND = "DrivingAssistanceSensorBlind"
    ELECTRIC_TRACTION_SYSTEM_FAILURE_LIMIT_SPEED = "ElectricTractionSystemFailureLimitSpeed"
    ELECTRIC_TRACTION_SYSTEM_FAILURE_STOP_VEHICLE = "ElectricTractionSystemFailureStopVehicle"
    ELECTRIC_TRACTION_SYSTEM_FAULT = "ElectricTractionSystemFault"
    ELECTRONIC_IMMOBILISER_FAULT = "ElectronicImmobiliserFault"
    EMISSION_SYSTEM_OR_AD_BLUE_QUALITY_FAILUE_STARTING_IMPOSSIBLE = (
        "EmissionSystemOrAdBlueQualityFailueStartingImpossible"
    )
    EMISSION_SYSTEM_OR_AD_BLUE_QUALITY_FAILUE_STARTING_IMPOSSIBLE_SOON = (
        "EmissionSystemOrAdBlueQualityFailueStartingImpossibleSoon"
    )
    EMISSION_SYSTEM_OR_AD_BLUE_QUALITY_FAILURE = "EmissionSystemOrAdBlueQualityFailure"
    ENGINE_FAILURE = "EngineFailure"
    ENGINE_FAULT = "EngineFault"
    ENGINE_MISFIRING_FUEL = "EngineMisfiringFuel"
    ENGINE_OIL_PRESSURE_FAILURE = "EngineOilPressureFailure"
    ENGINE_TEMPERATURE_FAILURE = "EngineTemperatureFailure"
    ESP_ASR_SYSTEM_FAULT = "EspAsrSystemFault"
    FRONT_LEFT_FLASHING_INDICATOR_FAULT = "FrontLeftFlashingIndicatorFault"
    FRONT_LEFT_FOG_LAMPS_FAULT = "FrontLeftFogLampsFault"
    FRONT_LEFT_PARKING_LAMPS_FAULT = "FrontLeftParkingLampsFault"
    FRONT_RIGHT_FLASHING_INDICATOR_FAULT = "FrontRightFlashingIndicatorFault"
    FRONT_RIGHT_FOG_LAMPS_FAULT = "FrontRightFogLampsFault"
    FRONT_RIGHT_PARKING_LAMPS_FAULT = "FrontRightParkingLampsFault"
    FUEL_LEVEL_LOW = "FuelLevelLow"
    GEARBOX_FAULT = "GearboxFault"
    HEADLIGHTS_FAULT = "HeadlightsFault"
    INSTALLED_SPARE_WHEEL_FAULT = "InstalledSpareWheelFault"
    INTER_VEHICLE_TIME_MEASUREMENT_FAULT = "InterVehicleTimeMeasurementFault"
    LANE_CHANGE_ASSISTANCE_FAULT = "LaneChangeAssistanceFault"
    LANE_DEPARTURE_WARNING_SYSTEM_FAULT = "LaneDepartureWarningSystemFault"
    LEFT_BRAKE_LAMP_FAULT = "LeftBrakeLampFault"
    LEFT_FRONT_DOOR_OPEN = "LeftFrontDoorOpen"
    LEFT_FRONT_DOOR_OPEN_LOW_SPEED = "LeftFrontDoorOpenLowSpeed"
    LEFT_FRONT_TIRE_PRESSUR_SENSOR_FAULT = "LeftFrontTirePressurSensorFault"
    LEFT_FRONT_TIRE_PUNCTURE = "LeftFrontTirePuncture"
    LEFT_FRONT_TIRE_UNDER_INFLATED = "LeftFrontTireUnderInflated"
    LEFT_REAR_DOOR_OPEN = "LeftRearDoorOpen"
    LEFT_REAR_DOOR_OPEN_LOW_SPEED = "LeftRearDoorOpenLowSpeed"
    LEFT_REAR_TIRE_PRESSUR_SENSOR_FAULT = "LeftRearTirePressurSensorFault"
    LEFT_REAR_TIRE_PUNCTURE = "LeftRearTirePuncture"
    LEFT_REAR_TIRE_UNDER_INFLATED = "LeftRearTireUnderInflated"
    LEFT_REVERSE_LAMP_FAULT = "LeftReverseLampFault"
    OIL_LEVEL_LOW = "OilLevelLow"
    PARK_ASSIST_SYSTEM_FAULT = "ParkAssistSystemFault"
    PARKING_BRAKE_OR_HILL_START_SYSTEM_FAILURE = "ParkingBrakeOrHillStartSystemFailure"
    PARTICLE_FILTER_ADDITIVE_LEVEL_TOO_LOW = "ParticleFilterAdditiveLevelTooLow"
    PARTICLE_FILTER_FULL = "ParticleFilterFull"
    PARTICLE_FILTER_REGENERATING = "ParticleFilterRegenerating"
    POWER_STEERING_FAILURE = "PowerSteeringFailure"
    POWER_STEERING_FAULT = "PowerSteeringFault"
    PREHEATING_PREVENTILATION_DEACTIVATED_BATTERY_LOW = "PreheatingPreventilationDeactivatedBatteryLow"
    PREHEATING_PREVENTILATION_DEACTIVATED_CLOCK_UNSET = "PreheatingPreventilationDeactivatedClockUnset"
    PREHEATING_PREVENTILATION_DEACTIVATED_FUEL_LEVEL_LOW = "PreheatingPreventilationDeactivatedFuelLevelLow"
    REAR_LEFT_FLASHING_INDICATOR_FAULT = "RearLeftFlashingIndicatorFault"
    REAR_LEFT_FOG_LAMPS_FAULT = "RearLeftFogLampsFault"
    REAR_LEFT_PARKING_LAMPS_FAULT = "RearLeftParkingLampsFault"
    REAR_RIGHT_FLASHING_INDICATOR_FAULT = "RearRightFlashingIndicatorFault"
    REAR_RIGHT_FOG_LAMPS_FAULT = "RearRightFogLampsFault"
    REAR_RIGHT_PARKING_LAMPS_FAULT = "RearRightParkingLampsFault"
    REAR_WINDOW_OPEN = "RearWindowOpen"
    REAR_WINDOW_OPEN_LOW_SPEED = "RearWindowOpenLowSpeed"
    REPLACE_BRAKE_PADS = "ReplaceBrakePads"
    REPLACE_THE_REMOTE_CONTROL_BATTERY = "ReplaceTheRemoteControlBattery"
    RETRACTABLE_ROOF_MECHANISM_FAULT = "RetractableRoofMechanismFault"
    RIGHT_BRAKE_LAMP_FAULT = "RightBrakeLampFault"
    RIGHT_FRONT_DOOR_OPEN_LOW_SPEED = "RightFrontDoorOpenLowSpeed"
    RIGHT_FRONT_DOOR_OPEN = "RightFrontDoorOpen"
    RIGHT_FRONT_TIRE_PRESSUR_SENSOR_FAULT = "RightFrontTirePressurSensorFault"
    RIGHT_FRONT_TIRE_PUNCTURE = "RightFrontTirePuncture"
    RIGHT_FRONT_TIRE_UNDER_INFLATED = "RightFrontTireUnderInflated"
    RIGHT_REAR_DOOR_OPEN = "RightRearDoorOpen"
    RIGHT_REAR_DOOR_OPEN_LOW_SPEED = "RightRearDoorOpenLowSpeed"
    RIGHT_REAR_TIRE_PRESSUR_SENSOR_FAULT = "RightRearTirePressurSensorFault"
    RIGHT_REAR_TIRE_PUNCTURE = "RightRearTirePuncture"
    RIGHT_REAR_TIRE_UNDER_INFLATED = "RightRearTireUnderInflated"
    RIGHT_REVERSE_LAMP_FAULT = "RightReverseLampFault"
    RISK_OF_ICE = "RiskOfIce"
    ROOF_OPERATION_NOT_POSSIBLE_SPEED_UNKNOWN = "RoofOperationNotPossibleSpeedUnknown"
    ROOF_OPERATION_NOT_POSSIBLE_TOO_HIGH_TEMP = "RoofOperationNotPossibleTooHighTemp"
    SHIFT_TO_PARK = "ShiftToPark"
    STEERING_LOCK_FAULT = "SteeringLockFault"
    SUSPENSION_FAULT = "SuspensionFault"
    SUSPENSION_FAULT_LIMIT_SPEED = "SuspensionFaultLimitSpeed"
    SUSPENSION_FAULT_REPAIRE_VEHICLE = "SuspensionFaultRepaireVehicle"
    TIRE_UNDER_INFLATION_DETECTION_SYSTEM_FAULT = "TireUnderInflationDetectionSystemFault"
    TOO_MANY_ROOF_OPERATION = "TooManyRoofOperation"
    TRAILER_CONNECTION_FAULT = "TrailerConnectionFault"
    TRUNK_OR_HOOD_OPEN = "TrunkOrHoodOpen"
    TRUNK_OR_HOOD_OPEN_LOW_SPEED = "TrunkOrHoodOpenLowSpeed"
    WATER_IN_THE_DIESEL_FUEL_FILTER = "WaterInTheDieselFuelFilter"


@attrs.frozen(kw_only=True, weakref_slot=False)
class Alert(TypedResource):
    """One warning.

    Attributes:
        id: the vendor's id.
        vin: the vehicle's VIN, where a fleet owner reads it.
        type: what it warns of.
        active: whether it is still raised.
        severity: how urgent it is.
        started_at: when it was raised.
        ended_at: when it was cleared.
        start_position: where it was raised.
        end_position: where it was cleared.
        created_at: when its record was created.
        updated_at: when its record was last changed.
    """

    __check__: ClassVar[ConsistencyCheck] = ConsistencyCheck(check_period, given="ended_at")

    id: str | None = None
    vin: str | None = attrs.field(default=None, repr=False)
    type: AlertType | None = None
    active: bool | None = None
    severity: AlertSeverity | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = attrs.field(default=None, metadata=names("endAt"))
    start_position: Position | None = None
    end_position: Position | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
