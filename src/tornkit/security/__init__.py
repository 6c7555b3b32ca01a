"""Small pure rules of safety: where a redirect may lead, which hosts are served."""

from __future__ import annotations

from tornkit.security.hosts import HostRule, allowed, host_name
from tornkit.security.redirects import local_path

__all__ = ["HostRule", "allowed", "host_name", "local_path"]
