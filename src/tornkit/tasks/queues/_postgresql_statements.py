"""What the PostgreSQL queue says to its server; each statement is one step.

The table has the columns that SAQ's own statements use, and those of the SQLite queue. Its names
begin like all of the library's own, so that migrations leave them alone.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "ABORT",
    "BEAT",
    "BY_KEYS",
    "CLAIM",
    "CLEAR",
    "COUNT_BY_STATUS",
    "END",
    "ENQUEUE",
    "FIND",
    "FOLLOW_CLOCK",
    "JOBS",
    "LOOK",
    "MOVE_SCHEDULE",
    "NEW_SCHEDULE",
    "REQUEUE",
    "REVIVE",
    "SCHEMA",
    "SWEEP",
    "TELL",
    "TICK_OF",
    "VERSION",
    "WORKERS",
]

JOBS: Final = "tornkit_tasks"
WORKERS: Final = "tornkit_task_workers"

VERSION: Final = 1
SCHEMA: Final = """
CREATE TABLE tornkit_task_versions (version INT NOT NULL);
INSERT INTO tornkit_task_versions VALUES (1);
CREATE TABLE tornkit_tasks (
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    queue TEXT NOT NULL,
    key TEXT NOT NULL,
    function TEXT NOT NULL,
    owner TEXT,
    job BYTEA NOT NULL,
    status TEXT NOT NULL,
    priority SMALLINT NOT NULL,
    group_key TEXT,
    scheduled DOUBLE PRECISION NOT NULL,
    queued BIGINT NOT NULL,
    ttl INT NOT NULL,
    attempts INT NOT NULL DEFAULT 0,
    lost INT NOT NULL DEFAULT 0,
    started BIGINT NOT NULL DEFAULT 0,
    touched BIGINT NOT NULL DEFAULT 0,
    lease INT NOT NULL DEFAULT 0,
    worker_id TEXT,
    completed BIGINT NOT NULL DEFAULT 0,
    expire_at DOUBLE PRECISION,
    progress DOUBLE PRECISION NOT NULL DEFAULT 0,
    message TEXT,
    result TEXT,
    error TEXT,
    PRIMARY KEY (queue, key)
);
CREATE INDEX tornkit_tasks_due ON tornkit_tasks (queue, priority, scheduled, number)
    WHERE status = 'queued';
CREATE INDEX tornkit_tasks_running ON tornkit_tasks (queue, touched)
    WHERE status IN ('active', 'aborting');
CREATE INDEX tornkit_tasks_number ON tornkit_tasks (queue, number);
CREATE INDEX tornkit_tasks_status ON tornkit_tasks (queue, status, number);
CREATE INDEX tornkit_tasks_function ON tornkit_tasks (queue, function, number);
CREATE INDEX tornkit_tasks_owner ON tornkit_tasks (queue, owner, number) WHERE owner IS NOT NULL;
CREATE INDEX tornkit_tasks_expire_at ON tornkit_tasks (queue, expire_at)
    WHERE expire_at IS NOT NULL;
CREATE TABLE tornkit_task_workers (
    worker_id TEXT PRIMARY KEY,
    stats JSONB,
    queue_key TEXT,
    metadata JSONB,
    expire_at DOUBLE PRECISION
);
CREATE TABLE tornkit_task_schedules (
    queue TEXT NOT NULL,
    name TEXT NOT NULL,
    tick DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (queue, name)
)
"""

_PARTS: Final = {
    "<held>": (
        "queue = %(queue)s AND key = %(key)s AND worker_id = %(worker)s AND started = %(started)s"
        " AND status IN ('active', 'aborting')"
    ),
    "<claims>": (
        "unnest(%(keys)s::text[], %(moments)s::bigint[]) AS held (key, started)"
        " WHERE job.queue = %(queue)s AND job.key = held.key AND job.started = held.started"
        " AND job.worker_id = %(worker)s AND job.status IN ('active', 'aborting')"
    ),
    "<unheld>": "worker_id = NULL, started = 0, touched = 0, lease = 0",
    # By the server's clock, for those of the workers may differ.
    "<stamp>": "(extract(epoch FROM clock_timestamp()) * 1000)::bigint",
    # Unless it was to be aborted, or has outlived too many workers.
    "<goes back>": "job.status = 'active' AND job.lost < %(most)s",
}


def _whole(statement: str) -> str:
    """Put the parts in that several statements share."""
    for name, part in _PARTS.items():
        statement = statement.replace(name, part)
    return statement


ENQUEUE: Final = """
WITH made AS (
    INSERT INTO tornkit_tasks
        (key, queue, function, owner, job, status, priority, scheduled, queued, ttl)
    VALUES (%(key)s, %(queue)s, %(function)s, %(owner)s, %(job)s, 'queued', %(priority)s,
        %(scheduled)s, %(queued)s, %(ttl)s)
    ON CONFLICT DO NOTHING
    RETURNING key
)
SELECT pg_notify(%(channel)s, %(event)s) FROM made
"""

# Of several workers each passes over what another one is just claiming.
CLAIM: Final = _whole("""
WITH due AS MATERIALIZED (
    SELECT key FROM tornkit_tasks
    WHERE queue = %(queue)s AND status = 'queued' AND scheduled <= %(now)s
    ORDER BY priority, scheduled, number
    LIMIT %(most)s
    FOR UPDATE SKIP LOCKED
)
UPDATE tornkit_tasks AS job SET status = 'active', attempts = attempts + 1,
    worker_id = %(worker)s, started = %(moment)s, touched = <stamp>, lease = %(lease)s,
    progress = 0, message = NULL
FROM due WHERE job.queue = %(queue)s AND job.key = due.key
RETURNING job.*
""")

BEAT: Final = _whole(
    "UPDATE tornkit_tasks AS job SET touched = <stamp> FROM <claims> RETURNING job.key, job.status"
)
LOOK: Final = _whole("SELECT job.key, job.status FROM tornkit_tasks AS job, <claims>")

TELL: Final = _whole("""
UPDATE tornkit_tasks SET progress = %(progress)s, message = %(message)s
WHERE <held> RETURNING 1
""")
END: Final = _whole("""
UPDATE tornkit_tasks SET status = %(status)s, result = %(result)s, error = %(error)s,
    completed = %(moment)s, expire_at = %(expires)s, progress = %(progress)s,
    message = %(message)s
WHERE <held> RETURNING 1
""")
# What is to be aborted ends instead of beginning anew.
REQUEUE: Final = _whole("""
WITH back AS (
    UPDATE tornkit_tasks SET
        error = CASE status WHEN 'aborting' THEN error ELSE %(error)s END,
        completed = CASE status WHEN 'aborting' THEN %(moment)s ELSE 0 END,
        expire_at = CASE status WHEN 'aborting' THEN %(expires)s ELSE NULL END,
        status = CASE status WHEN 'aborting' THEN 'aborted' ELSE 'queued' END,
        scheduled = %(scheduled)s, attempts = %(attempts)s, progress = 0, message = NULL, <unheld>
    WHERE <held>
    RETURNING key
)
SELECT pg_notify(%(channel)s, %(event)s) FROM back
""")
ABORT: Final = """
UPDATE tornkit_tasks SET
    error = %(error)s,
    completed = CASE status WHEN 'active' THEN 0 ELSE %(moment)s END,
    expire_at = CASE status WHEN 'active' THEN NULL ELSE %(expires)s END,
    status = CASE status WHEN 'active' THEN 'aborting' ELSE 'aborted' END
WHERE key = %(key)s AND queue = %(queue)s AND status IN ('queued', 'active')
"""
REVIVE: Final = _whole("""
WITH back AS (
    UPDATE tornkit_tasks SET status = 'queued', scheduled = %(now)s, attempts = 0, lost = 0,
        completed = 0, expire_at = NULL, progress = 0, message = NULL, result = NULL,
        error = NULL, <unheld>
    WHERE key = %(key)s AND queue = %(queue)s AND status = ANY(%(statuses)s)
    RETURNING key
)
SELECT pg_notify(%(channel)s, %(event)s) FROM back
""")

SWEEP: Final = _whole("""
WITH silent AS MATERIALIZED (
    SELECT key FROM tornkit_tasks
    WHERE queue = %(queue)s AND status IN ('active', 'aborting')
        AND (touched + lease < <stamp> OR touched > <stamp> + lease)  -- by a clock ahead
    FOR UPDATE SKIP LOCKED
),
swept AS (
    UPDATE tornkit_tasks AS job SET
        lost = lost + 1,
        attempts = CASE WHEN <goes back> THEN attempts - 1 ELSE attempts END,
        error = CASE WHEN job.status = 'active' AND job.lost >= %(most)s THEN %(failed)s
            ELSE error END,
        completed = CASE WHEN <goes back> THEN 0 ELSE %(moment)s END,
        expire_at = CASE WHEN <goes back> THEN NULL ELSE %(now)s + ttl END,
        status = CASE WHEN <goes back> THEN 'queued'
            WHEN job.status = 'active' THEN 'failed' ELSE 'aborted' END,
        progress = 0, message = NULL, <unheld>
    FROM silent WHERE job.queue = %(queue)s AND job.key = silent.key
    RETURNING job.key
)
SELECT key, pg_notify(%(channel)s, %(event)s) FROM swept
""")
# Enqueued to run at once, by a clock that was ahead; times of jobs are cut to milliseconds.
FOLLOW_CLOCK: Final = """
UPDATE tornkit_tasks SET scheduled = %(now)s
WHERE queue = %(queue)s AND status = 'queued' AND scheduled > %(now)s
    AND scheduled * 1000 <= queued + 1
"""
CLEAR: Final = """
DELETE FROM tornkit_tasks WHERE queue = %(queue)s AND key IN (
    SELECT key FROM tornkit_tasks WHERE queue = %(queue)s AND expire_at < %(now)s LIMIT %(most)s
)
"""

BY_KEYS: Final = "SELECT * FROM tornkit_tasks WHERE queue = %(queue)s AND key = ANY(%(keys)s)"
FIND: Final = """
SELECT * FROM tornkit_tasks
WHERE queue = %(queue)s
    AND (%(statuses)s::text[] IS NULL OR status = ANY(%(statuses)s))
    AND (%(name)s::text IS NULL OR function = %(name)s)
    AND (%(owner)s::text IS NULL OR owner = %(owner)s)
    AND (%(after)s::text IS NULL
        OR number < (
            SELECT number FROM tornkit_tasks WHERE queue = %(queue)s AND key = %(after)s
        ))
ORDER BY number DESC
LIMIT %(limit)s
"""
COUNT_BY_STATUS: Final = (
    "SELECT status, count(*) AS number FROM tornkit_tasks WHERE queue = %(queue)s GROUP BY status"
)

TICK_OF: Final = (
    "SELECT tick FROM tornkit_task_schedules WHERE queue = %(queue)s AND name = %(name)s"
)
NEW_SCHEDULE: Final = """
INSERT INTO tornkit_task_schedules VALUES (%(queue)s, %(name)s, %(tick)s)
ON CONFLICT DO NOTHING RETURNING 1
"""
MOVE_SCHEDULE: Final = """
UPDATE tornkit_task_schedules SET tick = %(tick)s
WHERE queue = %(queue)s AND name = %(name)s AND tick = %(before)s RETURNING 1
"""
