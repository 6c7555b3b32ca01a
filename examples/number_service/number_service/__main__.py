"""Serve the site: ``python -m number_service`` is ``tornkit run``."""

import sys

from tornkit.__main__ import main

if __name__ == "__main__":
    sys.argv[1:1] = ["run", "--app", "number_service.app:create_app"]
    main()
