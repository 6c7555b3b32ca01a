"""The tests of the site; what several of them need can stand beside this file."""
