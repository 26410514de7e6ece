"""Files of trips: JSON Lines, CSV, GeoJSON."""
