"""The load that wrk cannot make: fixed rates, WebSockets, large uploads.

A process of its own (``python -m tests.benchmarks.load``), because it must not share a loop
with what it measures. It polls its sockets itself instead of leaving that to an event loop: the
timers of those are right to a millisecond, within which 30 requests may be due.
"""
