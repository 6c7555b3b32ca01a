"""Tiny packages of modules, good and broken, for the tests of discovery."""
