"""What ``python -m tests.benchmarks`` is made of.

``cases`` and ``contenders`` are data: who is asked what. ``site`` starts a contender,
``asking`` and ``answers`` see that it answers rightly, ``measuring`` runs the rounds with the
loads of ``loads``, ``results`` holds what came out, and ``tables`` shows it.
"""
