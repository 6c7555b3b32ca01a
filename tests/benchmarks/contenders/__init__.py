"""The applications that are compared, each as its framework's own documentation asks for.

Each file runs as ``python -m tests.benchmarks.contenders.NAME`` in a process of its own, and reads
from its variables which case it serves, and where (`common`). Access logs are off in all cases
but ``hello-full``. To the outside, all contenders of a case answer alike.
"""
