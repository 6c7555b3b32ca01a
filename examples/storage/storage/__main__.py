"""Serve the site: ``python -m storage`` is ``tornkit run``."""

import sys

from tornkit.__main__ import main

if __name__ == "__main__":
    sys.argv[1:1] = ["run", "--app", "storage.app:create_app"]
    main()
