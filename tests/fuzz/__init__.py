"""Fuzzing: targets, their corpus and the engines that search for inputs which break a law."""
