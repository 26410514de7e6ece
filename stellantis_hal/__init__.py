"""Async client for the connected-car web APIs of Stellantis' ex-PSA brands, on a generic HAL navigator."""

__version__ = "0.1.0"
