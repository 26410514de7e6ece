"""Tests of the vendor's facts."""
