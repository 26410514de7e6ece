"""The simulated world: entities, their generation from a seed, changes made by tests."""
