"""One module for each concern, whose ``run`` returns rows."""
