"""What the SQLite queue says to its file: functions of a connection, each one step."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Mapping, Sequence

    from tornkit.tasks.saq import CountKind


__all__ = [
    "abort",
    "beat",
    "bring_forward",
    "by_keys",
    "claim",
    "clear_expired",
    "count",
    "data_version",
    "end",
    "find",
    "first_due",
    "has_early",
    "insert",
    "move_schedule",
    "note_worker",
    "requeue",
    "revive",
    "sweep",
    "tally",
    "tell",
    "tick_of",
    "workers",
]

Held: TypeAlias = "tuple[str, str | None, int]"
"""A job's key, and which claim of it: whose, and since when."""

_PARTS: Final = {
    "<held>": "key = ? AND worker_id = ? AND started = ? AND status IN ('active', 'aborting')",
    "<unheld>": "worker_id = NULL, started = 0, touched = 0, lease = 0",
}


def _whole(statement: str) -> str:
    """Put the parts in that several statements share."""
    for name, part in _PARTS.items():
        statement = statement.replace(name, part)
    return statement


# --- enqueueing --------------------------------------------------------------------------------

_INSERT: Final = """
INSERT INTO jobs (key, function, owner, job, status, priority, scheduled, queued, ttl)
VALUES (:key, :function, :owner, :job, 'queued', :priority, :scheduled, :queued, :ttl)
ON CONFLICT (key) DO NOTHING
"""


def insert(connection: sqlite3.Connection, row: Mapping[str, Any]) -> bool:
    """Add a job; False if one of its key is kept."""
    return connection.execute(_INSERT, row).rowcount == 1


def move_schedule(
    connection: sqlite3.Connection, name: str, before: float | None, tick: float
) -> bool:
    """Set a schedule to a tick, if it is still at the one before."""
    if before is None:
        done = connection.execute(
            "INSERT INTO schedules VALUES (?, ?) ON CONFLICT DO NOTHING", (name, tick)
        )
    else:
        done = connection.execute(
            "UPDATE schedules SET tick = ? WHERE name = ? AND tick = ?", (tick, name, before)
        )
    return done.rowcount == 1


def tick_of(connection: sqlite3.Connection, name: str) -> float | None:
    """Return the tick that a schedule is at, or None."""
    found = connection.execute("SELECT tick FROM schedules WHERE name = ?", (name,)).fetchone()
    return None if found is None else float(found[0])


# --- claiming ----------------------------------------------------------------------------------

_PRIORITY: Final = "SELECT min(priority) FROM jobs WHERE status = 'queued' AND priority > ?"
_FIRST: Final = """
SELECT scheduled FROM jobs WHERE status = 'queued' AND priority = ? ORDER BY scheduled LIMIT 1
"""
_DUE: Final = """
SELECT number FROM jobs WHERE status = 'queued' AND priority = ? AND scheduled <= ?
ORDER BY scheduled, number LIMIT ?
"""
_CLAIM: Final = """
UPDATE jobs SET status = 'active', attempts = attempts + 1, worker_id = ?, started = ?,
    touched = ?, lease = ?, progress = 0, message = NULL
WHERE number IN (SELECT value FROM json_each(?))
RETURNING *
"""


def _priorities(connection: sqlite3.Connection) -> Iterator[int]:
    """Yield the priorities of queued jobs, the lowest first; each costs one look at an index."""
    found: tuple[int | None] = (-1,)
    while True:
        found = connection.execute(_PRIORITY, tuple(found)).fetchone()
        if found[0] is None:
            return
        yield found[0]


def first_due(connection: sqlite3.Connection) -> float:
    """Return when the first queued job is due; infinity where there is none."""
    due = math.inf
    for priority in _priorities(connection):
        first = connection.execute(_FIRST, (priority,)).fetchone()
        due = due if first is None else min(due, first[0])
    return due


def data_version(connection: sqlite3.Connection) -> int:
    """Return a number that is another when another connection has written."""
    found: int = connection.execute("PRAGMA data_version").fetchone()[0]
    return found


def claim(
    connection: sqlite3.Connection, now: float, holder: tuple[str, int, int], most: int
) -> list[sqlite3.Row]:
    """Claim jobs that are due: by priority, then by when they were due."""
    numbers: list[int] = []
    for priority in _priorities(connection):
        rows = connection.execute(_DUE, (priority, now, most - len(numbers)))
        numbers += [row[0] for row in rows]
        if len(numbers) >= most:
            break
    if not numbers:
        return []
    worker, stamp, lease = holder
    claimed = connection.execute(_CLAIM, (worker, stamp, stamp, lease, json.dumps(numbers)))
    order = {number: place for place, number in enumerate(numbers)}
    return sorted(claimed.fetchall(), key=lambda row: order[row["number"]])


# --- running -----------------------------------------------------------------------------------

_RENEW: Final = _whole("UPDATE jobs SET touched = ? WHERE <held>")
_LOOK: Final = _whole("SELECT status FROM jobs WHERE <held>")
_TELL: Final = _whole("UPDATE jobs SET progress = ?, message = ? WHERE <held>")
_END: Final = _whole("""
UPDATE jobs SET status = ?, result = ?, error = ?, completed = ?, expires = ?, progress = ?,
    message = ?
WHERE <held>
""")
_ABORTED: Final = _whole("""
UPDATE jobs SET status = 'aborted', completed = ?, expires = ? WHERE <held> AND status = 'aborting'
""")
_REQUEUE: Final = _whole("""
UPDATE jobs SET status = 'queued', scheduled = ?, attempts = ?, error = ?, progress = 0,
    message = NULL, <unheld>
WHERE <held>
""")
_ABORT_QUEUED: Final = """
UPDATE jobs SET status = 'aborted', error = ?, completed = ?, expires = ?
WHERE key = ? AND status = 'queued'
"""
_ABORT_ACTIVE: Final = """
UPDATE jobs SET status = 'aborting', error = ? WHERE key = ? AND status = 'active'
"""
_REVIVE: Final = _whole("""
UPDATE jobs SET status = 'queued', scheduled = ?, attempts = 0, lost = 0, completed = 0,
    expires = NULL, progress = 0, message = NULL, result = NULL, error = NULL, <unheld>
WHERE key = ? AND status IN (SELECT value FROM json_each(?))
""")


def beat(
    connection: sqlite3.Connection, claims: Sequence[Held], now: int | None
) -> list[tuple[str, str | None]]:
    """Return the status of held jobs, None where one is held no more; renew leases at ``now``."""
    if now is not None:
        connection.executemany(_RENEW, [(now, *held) for held in claims])
    found = []
    for held in claims:
        row = connection.execute(_LOOK, held).fetchone()
        found.append((held[0], None if row is None else row[0]))
    return found


def tell(connection: sqlite3.Connection, held: Held, told: tuple[float, str | None]) -> bool:
    """Store the progress of a held job."""
    return connection.execute(_TELL, (*told, *held)).rowcount == 1


def end(connection: sqlite3.Connection, held: Held, how: tuple[Any, ...]) -> bool:
    """End a held job."""
    return connection.execute(_END, (*how, *held)).rowcount == 1


def requeue(connection: sqlite3.Connection, held: Held, how: tuple[Any, ...]) -> bool:
    """Give a held job back, or end it where it is to be aborted."""
    scheduled, attempts, error, now, expires = how
    aborted = connection.execute(_ABORTED, (now, expires, *held)).rowcount == 1
    back = (scheduled, attempts, error, *held)
    return aborted or connection.execute(_REQUEUE, back).rowcount == 1


def abort(connection: sqlite3.Connection, key: str, error: str, now: int, expires: float) -> None:
    """Abort a queued job, or mark an active one."""
    connection.execute(_ABORT_QUEUED, (error, now, expires, key))
    connection.execute(_ABORT_ACTIVE, (error, key))


def revive(connection: sqlite3.Connection, key: str, statuses: Sequence[str], now: float) -> bool:
    """Queue a job that ended once more."""
    return connection.execute(_REVIVE, (now, key, json.dumps(statuses))).rowcount == 1


# --- upkeep ------------------------------------------------------------------------------------

_SILENT: Final = """
SELECT number, key, status, lost, ttl FROM jobs
WHERE status IN ('active', 'aborting')
    AND (touched + lease < ?1 OR touched > ?1 + lease)  -- by a clock that was ahead
"""
_GOES_BACK: Final = _whole("""
UPDATE jobs SET status = 'queued', lost = lost + 1, attempts = attempts - 1, progress = 0,
    message = NULL, <unheld>
WHERE number = ?
""")
_ENDS: Final = """
UPDATE jobs SET status = ?, lost = lost + 1, error = coalesce(?, error), completed = ?, expires = ?
WHERE number = ?
"""
# Enqueued to run at once, by a clock that was ahead; times of jobs are cut to milliseconds.
_EARLY: Final = "status = 'queued' AND scheduled > ? AND scheduled * 1000 <= queued + 1"
_HAS_EARLY: Final = "SELECT 1 FROM jobs WHERE <early> LIMIT 1".replace("<early>", _EARLY)
_BRING_FORWARD: Final = "UPDATE jobs SET scheduled = ? WHERE <early>".replace("<early>", _EARLY)
_CLEAR: Final = """
DELETE FROM jobs WHERE number IN (
    SELECT number FROM jobs WHERE expires IS NOT NULL AND expires < ? LIMIT ?
)
"""
_NOTE_WORKER: Final = """
INSERT INTO workers VALUES (?, ?, ?)
ON CONFLICT (id) DO UPDATE SET info = excluded.info, expires = excluded.expires
"""


def sweep(
    connection: sqlite3.Connection, now: tuple[int, float], most: int, failed: str
) -> list[str]:
    """Take jobs back whose lease has run out; return their keys."""
    stamp, seconds = now
    rows = connection.execute(_SILENT, (stamp,)).fetchall()
    for row in rows:
        if row["status"] == "active" and row["lost"] < most:
            connection.execute(_GOES_BACK, (row["number"],))
        else:
            error = failed if row["status"] == "active" else None
            status = "aborted" if error is None else "failed"
            expires = seconds + row["ttl"]
            connection.execute(_ENDS, (status, error, stamp, expires, row["number"]))
    return [row["key"] for row in rows]


def has_early(connection: sqlite3.Connection, now: float) -> bool:
    """Tell whether jobs wait for the time at which they were enqueued."""
    return connection.execute(_HAS_EARLY, (now,)).fetchone() is not None


def bring_forward(connection: sqlite3.Connection, now: float) -> None:
    """Have them be due."""
    connection.execute(_BRING_FORWARD, (now, now))


def clear_expired(connection: sqlite3.Connection, now: float, most: int) -> int:
    """Delete what is not kept any longer; return how many jobs."""
    connection.execute("DELETE FROM workers WHERE expires < ?", (now,))
    return connection.execute(_CLEAR, (now, most)).rowcount


def note_worker(connection: sqlite3.Connection, worker_id: str, info: str, expires: float) -> None:
    """Keep what a worker tells about itself."""
    connection.execute(_NOTE_WORKER, (worker_id, info, expires))


# --- asking ------------------------------------------------------------------------------------


def by_keys(connection: sqlite3.Connection, keys: Sequence[str]) -> list[sqlite3.Row]:
    """Return the jobs of some keys."""
    return connection.execute(
        "SELECT * FROM jobs WHERE key IN (SELECT value FROM json_each(?))", (json.dumps(keys),)
    ).fetchall()


def find(
    connection: sqlite3.Connection,
    *,
    statuses: Sequence[str],
    name: str | None,
    owner: str | None,
    after: str | None,
    limit: int,
) -> list[sqlite3.Row]:
    """Return jobs, the latest first."""
    given = {
        "status IN (SELECT value FROM json_each(?))": json.dumps(statuses) if statuses else None,
        "function = ?": name,
        "owner = ?": owner,
        "number < (SELECT number FROM jobs WHERE key = ?)": after,
    }
    conditions = {text: value for text, value in given.items() if value is not None}
    # Only texts from above: values travel apart.
    query = "SELECT * FROM jobs WHERE <conditions> ORDER BY number DESC LIMIT ?".replace(
        "<conditions>", " AND ".join(conditions) or "TRUE"
    )
    return connection.execute(query, (*conditions.values(), limit)).fetchall()


def tally(connection: sqlite3.Connection) -> list[tuple[str, int]]:
    """Count jobs by status."""
    return [
        (row[0], row[1])
        for row in connection.execute("SELECT status, count(*) FROM jobs GROUP BY status")
    ]


_COUNTS: Final[dict[CountKind, str]] = {
    "queued": "SELECT count(*) FROM jobs WHERE status = 'queued' AND scheduled <= ?1",
    "active": "SELECT count(*) FROM jobs WHERE status = 'active' AND ?1",
    "incomplete": "SELECT count(*) FROM jobs WHERE status IN ('queued', 'active') AND ?1",
}


def count(connection: sqlite3.Connection, kind: CountKind, now: float) -> int:
    """Count jobs in one of SAQ's three ways."""
    found: int = connection.execute(_COUNTS[kind], (now,)).fetchone()[0]
    return found


def workers(connection: sqlite3.Connection, now: float) -> list[sqlite3.Row]:
    """Return the workers that were heard of lately."""
    return connection.execute("SELECT * FROM workers WHERE expires >= ?", (now,)).fetchall()
