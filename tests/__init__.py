"""The tests of dockersweep."""
