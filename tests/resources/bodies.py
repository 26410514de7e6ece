"""Bodies with every documented field, as the newest back ends send them; each call makes new ones."""

from __future__ import annotations

from typing import Any

AT = "2023-09-12T09:41:10.911Z"

Body = dict[str, Any]


def position(longitude: float = 2.25, latitude: float = 48.75) -> Body:
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [longitude, latitude, 35.5]},
        "properties": {"createdAt": AT, "heading": 120, "signalQuality": 9, "type": "Acquire", "fixStatus": "3D"},
    }


def fuel(level: float = 80.5) -> Body:
    return {
        "type": "Fuel",
        "subType": "FossilEnergy",
        "level": level,
        "autonomy": 400,
        "createdAt": AT,
        "updatedAt": AT,
        "extension": {
            "fuel": {"consumption": {"consumption": 5.5}, "consumptions": {"total": 1234.0, "instant": 6.5}},
        },
    }


def electric(level: float = 60.5) -> Body:
    return {
        "type": "Electric",
        "subType": "ElectricEnergy",
        "level": level,
        "autonomy": 200,
        "createdAt": AT,
        "extension": {
            "electric": {
                "residual": {"consumption": level * 0.5},
                "battery": {
                    "capacity": 50000.0,
                    "load": {"createdAt": AT, "capacity": 50000, "residual": level * 500},
                    "health": {"createdAt": AT, "capacity": 96, "resistance": 94},
                },
                "charging": {
                    "plugged": True,
                    "status": "InProgress",
                    "remainingTime": "PT2H30M",
                    "chargingRate": 30,
                    "chargingPowerLevel": "Level3",
                    "chargingMode": "Slow",
                    "nextDelayedTime": "PT22H30M",
                    "chargingEndTime": AT,
                    "stopChargeStatus": "Activated",
                    "schedule": {
                        "programs": [
                            {
                                "start": "PT22H30M",
                                "end": "PT6H",
                                "occurence": {"day": ["Mon", "Tue"]},
                                "enabled": True,
                                "chargeUntilFull": False,
                            }
                        ]
                    },
                    "type": "Full",
                },
                "consumption": {"consumption": 12.5},
            }
        },
    }


def trip() -> Body:
    return {
        "id": "trip-1",
        "createdAt": AT,
        "updatedAt": AT,
        "startedAt": "2023-09-12T08:00:00Z",
        "stoppedAt": "2023-09-12T09:00:00Z",
        "startPosition": position(),
        "stopPosition": position(3.25, 49.75),
        "duration": 3600,
        "distance": 36.5,
        "startMileage": 12345.5,
        "startEnergies": [{"type": "Fuel", "subType": "FossilEnergy", "level": 80.5, "autonomy": 400}],
        "endEnergies": [{"type": "Fuel", "subType": "FossilEnergy", "level": 70.5, "autonomy": 350}],
        "energyConsumptions": [
            {"type": "Fuel", "subType": "FossilEnergy", "consumption": 250.0, "avgConsumption": 685.0},
            {"type": "Electric", "subType": "ElectricEnergy", "consumption": 3500.0, "avgConsumption": 9600.0},
        ],
        "kinetic": {"avgSpeed": 10.0, "maxSpeed": 110.5},
        "segments": [
            {"propulsion": "Thermal", "percent": 75.5, "distance": 27.5},
            {"propulsion": "Electric", "percent": 24.5, "distance": 9.0},
        ],
        "done": True,
        "faults": [{"fault": "DataLacking", "cause": "Connection"}],
    }


def status() -> Body:
    return {
        "createdAt": AT,
        "updatedAt": AT,
        "lastPosition": position(),
        "energies": [fuel(), electric()],
        "ignition": {"createdAt": AT, "type": "Stop"},
        "engines": [
            {
                "createdAt": AT,
                "type": "Thermic",
                "speed": 850.5,
                "gmpStatus": "Running",
                "oil": {"temp": 80.5},
                "extension": {
                    "thermic": {
                        "coolant": {"level": 90, "temp": 85.5},
                        "oil": {"level": 70, "temp": 80.5},
                        "air": {"temp": 30.5},
                    }
                },
            }
        ],
        "powertrain": {"createdAt": AT, "status": "Running"},
        "preconditioning": {
            "airConditioning": {
                "createdAt": AT,
                "updatedAt": AT,
                "status": "Enabled",
                "startingCause": "Scheduled",
                "failureCause": "Defect",
                "programs": [
                    {
                        "start": "PT7H30M",
                        "occurence": {"day": ["Mon"]},
                        "recurrence": "Daily",
                        "enabled": True,
                        "slot": 1,
                    }
                ],
            }
        },
        "doorsState": {
            "createdAt": AT,
            "lockedStates": ["Locked"],
            "opening": [{"identifier": "Driver", "state": "Closed"}],
        },
        "battery": {"createdAt": AT, "voltage": 85.5},
        "kinetic": {"createdAt": AT, "acceleration": 0.5, "speed": 50.5, "moving": True},
        "odometer": {"createdAt": AT, "mileage": 12345.5},
        "environment": {"luminosity": {"createdAt": AT, "day": True}, "air": {"createdAt": AT, "temp": 20.5}},
        "lightingSystem": {
            "createdAt": AT,
            "turn": [{"direction": "Left", "position": "Front", "status": "Off"}],
            "fog": [{"direction": "Right", "position": "Rear", "status": "On"}],
        },
        "drivingBehavior": {"createdAt": AT, "mode": "Eco"},
        "privacy": {"createdAt": AT, "state": "None"},
        "safety": {
            "createdAt": AT,
            "beltStatus": [{"id": "Driver", "belt": "Normal"}],
            "autoECallTriggering": "NotDetected",
        },
        "alarm": {
            "trigger": {"createdAt": AT, "type": "RoofBreakIn", "position": position(), "startAt": AT},
            "status": {"createdAt": AT, "activation": "Active"},
        },
        "service": {"createdAt": AT, "type": "Hybrid"},
        "adas": adas(),
        "transmission": transmission(),
    }


def adas() -> Body:
    return {
        "parkAssist": {"front": ["Active"], "rear": ["Wait", "Fault"]},
        "accr": "Off",
        "lvv": True,
        "rvv": "Off",
        "aebs": "off",
        "afil": "Off",
        "artiv": "Selected",
        "bsm": "Active",
        "esp": True,
        "abs": True,
        "fse": False,
        "sli": 50,
        "rlka": "Authorized",
        "llka": "Authorized",
        "rgi": "Up",
    }


def transmission() -> Body:
    mode = {"automatic": True, "sport": False, "snow": False, "sequential": False, "semiManual": False}
    return {"gearbox": {"mode": mode, "ratio": "Ratio3"}}


def vehicle() -> Body:
    plain = {"supported": True, "scopeName": "remote:door:write"}
    return {
        "id": "vehicle-1",
        "vin": "VR3ABCDE0FG123456",
        "createdAt": AT,
        "updatedAt": AT,
        "motorization": "Hybrid",
        "brand": "Peugeot",
        "label": "3008",
        "pictures": ["https://pictures.example/1.png"],
        "callCenter": {"stolen": {"countryCode": "BR", "phoneNumber": "123"}},
        "_embedded": {
            "extension": {
                "onboardCapabilities": {
                    "data": ["data:trip", "data:position"],
                    "remote": {
                        "preconditioning": {
                            "supported": True,
                            "scopeName": "remote:preconditioning:write",
                            "parameters": {"programs": {"size": 4}, "immediate": True},
                        },
                        "charging": {
                            "supported": True,
                            "scopeName": "remote:charging:write",
                            "parameters": {
                                "immediate": {"start": True, "stop": False},
                                "schedule": {"programs": {"supported": True, "size": 2}, "nextDelayedTime": True},
                                "preferences": {"level": True, "type": False},
                            },
                        },
                        "door": dict(plain),
                        "horn": {"supported": False, "scopeName": "remote:horn:write"},
                        "lights": dict(plain),
                        "wakeup": dict(plain),
                        "navigation": dict(plain),
                    },
                },
                "branding": {"brand": "Peugeot", "label": "3008"},
                "pictures": ["https://pictures.example/2.png"],
            }
        },
    }


def user() -> Body:
    return {"email": "someone@example.com", "firstName": "A", "lastName": "B", "createdAt": AT, "updatedAt": AT}


def maintenance() -> Body:
    return {"createdAt": AT, "updatedAt": AT, "daysBeforeMaintenance": 45, "mileageBeforeMaintenance": 1239.5}


def alert() -> Body:
    return {
        "id": "alert-1",
        "type": "FuelLevelLow",
        "active": True,
        "severity": "Warning",
        "startedAt": AT,
        "endAt": AT,
        "startPosition": position(),
        "endPosition": position(),
        "createdAt": AT,
        "updatedAt": AT,
    }


def alarm() -> Body:
    return {
        "id": "alarm-1",
        "trigger": {"createdAt": AT, "type": "HoodDoorBreakIn", "position": position(), "startAt": AT},
        "status": {"createdAt": AT, "activation": "Active"},
    }


def collision() -> Body:
    return {
        "id": "collision-1",
        "createdAt": AT,
        "updatedAt": AT,
        "details": [{"side": "Front", "severity": "Minor"}],
        "tippedOver": False,
        "pedestrian": False,
    }


def telemetry() -> Body:
    left_out = {"createdAt", "updatedAt", "lastPosition", "environment", "privacy", "service", "preconditioning"}
    return {
        "createdAt": AT,
        "privacy": {"state": "Full"},
        "vehicle": {key: value for key, value in status().items() if key not in left_out}
        | {"wipingBlades": {"active": True, "speed": "Low"}},
        "environment": {"luminosity": {"day": False}, "air": {"temp": 12.5}},
        "_embedded": {"extension": {"location": position(), "maintenance": maintenance()}},
    }
