"""Tests of stellantis_hal.storage."""
