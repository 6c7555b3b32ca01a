"""A process that uses the reset tokens it reads, a line each, and says how that went."""

from __future__ import annotations

import asyncio
import sys

from tests.accounts.support import accounts_of
from tornkit.databases import Databases


async def main(url: str, password: str) -> None:
    async with Databases({"default": url}) as databases:
        accounts = accounts_of(databases.sql["default"])
        await databases.sql["default"].ping()
        await accounts.check_password(password)
        print("ready", flush=True)
        while token := await asyncio.to_thread(sys.stdin.readline):
            try:
                await accounts.reset_password(token.strip(), password)
            except Exception as error:  # noqa: BLE001 - the parent judges it
                print(type(error).__name__, flush=True)
            else:
                print("won", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
