"""Tests of rate limiting."""
