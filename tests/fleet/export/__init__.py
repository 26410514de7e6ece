"""Files of trips."""
