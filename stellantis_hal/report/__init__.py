"""Reports: trips, consumption, levels and charging of cars as one HTML file (extra ``report``)."""
