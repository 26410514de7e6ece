"""Tests of stellantis_hal.fleet.checkpoints."""
