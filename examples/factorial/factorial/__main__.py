"""Serve the site: ``python -m factorial`` is ``tornkit run``."""

import sys

from tornkit.__main__ import main

if __name__ == "__main__":
    sys.argv[1:1] = ["run", "--app", "factorial.app:create_app"]
    main()
