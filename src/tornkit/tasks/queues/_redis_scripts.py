"""What the Redis queue has its server do; each script is one step.

A job is JSON text under its id, with the status first and ``lost`` and ``message`` beside SAQ's
own fields. Scripts do not decode and encode it, for Lua has no integers of our size: they replace
the status, and append fields, of which JSON readers take the last.

====================  =======================================================================
key                   holds
====================  =======================================================================
``queued``            a list of what is due, in order (SAQ's)
``active``            a list of what was taken from it (SAQ's)
``incomplete``        what has not ended; the score is when it is due, 0 for at once (SAQ's)
``claims``            who holds what is active
``leases``            until when, in milliseconds
``all``               every job; the score is the number it was given
``is:STATUS``         the jobs of each status, by number
``of:OWNER``          the jobs of each owner, by number
``expires``           what has ended; the score is when it is deleted
``ticks``             the tick of each schedule
``suspects``          what was taken from ``queued`` and not claimed, and since when
====================  =======================================================================
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "ABORT",
    "BEAT",
    "CLAIM",
    "CLEAR",
    "END",
    "ENQUEUE",
    "KEYS",
    "MOVE_ON",
    "REQUEUE",
    "REVIVE",
    "SCHEDULE",
    "SWEEP",
    "TELL",
]

KEYS: Final = (
    *("queued", "active", "incomplete", "claims", "leases", "all", "is:", "of:", "expires"),
    *("ticks", "suspects", "number"),
)
"""What every script is given as ``KEYS``, in this order."""

_COMMON: Final = """
local queued, active, incomplete, claims, leases, all, is, of, expires, ticks, suspects, number =
    unpack(KEYS)

-- In milliseconds, by the server's clock, for those of the workers may differ.
local function stamp()
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function status_of(text)
    return string.match(text, '^{"status":"(%a+)"')
end

local function patched(text, status, fields)
    local body = string.gsub(text, '^{"status":"%a+"', '{"status":"' .. status .. '"', 1)
    return string.sub(body, 1, -2) .. ',' .. fields .. '}'
end

-- Put a job under another status in the lists of jobs.
local function file(id, before, after)
    if before ~= after then
        redis.call('ZREM', is .. before, id)
        redis.call('ZADD', is .. after, redis.call('ZSCORE', all, id) or 0, id)
    end
end

local function let_go(id)
    redis.call('HDEL', claims, id)
    redis.call('ZREM', leases, id)
    redis.call('LREM', active, 1, id)
end

local function finish(id, before, after, text, ttl, now)
    let_go(id)
    redis.call('LREM', queued, 1, id)
    redis.call('ZREM', incomplete, id)
    redis.call('SET', id, text, 'EX', ttl)
    redis.call('ZADD', expires, now + ttl, id)
    file(id, before, after)
end

-- Queue a job for when it is due; 0 is at once.
local function queue(id, before, text, due)
    let_go(id)
    redis.call('SET', id, text)
    redis.call('ZADD', incomplete, due, id)
    if due == '0' then redis.call('RPUSH', queued, id) end
    file(id, before, 'queued')
end

local function enqueue(id, text, due, owner, life)
    if redis.call('EXISTS', id) == 1 then return 0 end
    redis.call('SET', id, text)
    redis.call('ZADD', incomplete, due, id)
    if due == '0' then redis.call('RPUSH', queued, id) end
    local given = redis.call('INCR', number)
    redis.call('ZADD', all, given, id)
    redis.call('ZADD', is .. 'queued', given, id)
    if owner ~= '' then
        local lowest = redis.call('ZRANGE', all, 0, 0, 'WITHSCORES')[2]
        redis.call('ZREMRANGEBYSCORE', of .. owner, '-inf', '(' .. lowest)  -- deleted since
        redis.call('ZADD', of .. owner, given, id)
        redis.call('EXPIRE', of .. owner, life)
    end
    return 1
end

-- Return the text of a job that the caller holds, and its status.
local function held(id, token)
    if redis.call('HGET', claims, id) ~= token then return nil end
    local text = redis.call('GET', id)
    return text, text and status_of(text)
end
"""

ENQUEUE: Final = _COMMON + "return enqueue(ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5])"

MOVE_ON: Final = (
    _COMMON
    + """
local name, before, tick = ARGV[1], ARGV[2], ARGV[3]
if (redis.call('HGET', ticks, name) or '') ~= before then return 0 end
redis.call('HSET', ticks, name, tick)
if ARGV[4] then enqueue(ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8]) end
return 1
"""
)

SCHEDULE: Final = (
    _COMMON
    + """
local due = redis.call('ZRANGEBYSCORE', incomplete, '(0', ARGV[1], 'LIMIT', 0, 500)
for _, id in ipairs(due) do
    redis.call('ZADD', incomplete, 0, id)
    redis.call('RPUSH', queued, id)
end
return due
"""
)

CLAIM: Final = (
    _COMMON
    + """
local id, token, text, lease = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
redis.call('HDEL', suspects, id)
local before = redis.call('GET', id)
if not before or status_of(before) ~= 'queued' or redis.call('HEXISTS', claims, id) == 1 then
    redis.call('LREM', active, 1, id)
    return 0
end
redis.call('SET', id, text)
redis.call('HSET', claims, id, token)
redis.call('ZADD', leases, stamp() + lease, id)
file(id, 'queued', 'active')
return 1
"""
)

BEAT: Final = (
    _COMMON
    + """
local lease, found = ARGV[1], {}
for place = 2, #ARGV, 2 do
    local id = ARGV[place]
    if redis.call('HGET', claims, id) == ARGV[place + 1] then
        if lease ~= '' then redis.call('ZADD', leases, stamp() + lease, id) end
        found[#found + 1] = status_of(redis.call('GETRANGE', id, 0, 30)) or ''
    else
        found[#found + 1] = ''
    end
end
return found
"""
)

TELL: Final = (
    _COMMON
    + """
local id, token, text = ARGV[1], ARGV[2], ARGV[3]
local _, status = held(id, token)
if not status then return 0 end
if status == 'active' then redis.call('SET', id, text) end
return 1
"""
)

END: Final = (
    _COMMON
    + """
local id, token, text, after, ttl, now = unpack(ARGV)
local _, before = held(id, token)
if not before then return 0 end
finish(id, before, after, text, ttl, now)
return 1
"""
)

# What is to be aborted ends instead of beginning anew.
REQUEUE: Final = (
    _COMMON
    + """
local id, token, text, due, ttl, now, completed = unpack(ARGV)
local stored, before = held(id, token)
if not before then return 0 end
if before == 'aborting' then
    finish(id, before, 'aborted', patched(stored, 'aborted', completed), ttl, now)
else
    queue(id, before, text, due)
end
return 1
"""
)

ABORT: Final = (
    _COMMON
    + """
local id, error, completed, ttl, now = unpack(ARGV)
local text = redis.call('GET', id)
local before = text and status_of(text)
if before == 'queued' then
    finish(id, before, 'aborted', patched(text, 'aborted', error .. ',' .. completed), ttl, now)
elseif before == 'active' then
    redis.call('SET', id, patched(text, 'aborting', error))
    file(id, before, 'aborting')
end
return before
"""
)

REVIVE: Final = (
    _COMMON
    + """
local id, statuses, fields = ARGV[1], ARGV[2], ARGV[3]
local text = redis.call('GET', id)
local before = text and status_of(text)
if not before or not string.find(statuses, ' ' .. before .. ' ', 1, true) then return 0 end
redis.call('ZREM', expires, id)
queue(id, before, patched(text, 'queued', fields), '0')
return 1
"""
)

# A job goes back, unless it was to be aborted, or has outlived too many workers. What was taken
# from the queue and is not claimed after a while goes back too: whoever took it has died.
SWEEP: Final = (
    _COMMON
    + """
local completed, now, lease, most, failed = unpack(ARGV)
local swept, current = {}, stamp()
local silent = redis.call('ZRANGEBYSCORE', leases, '-inf', '(' .. current, 'LIMIT', 0, 500)
-- Nobody's lease is an hour longer than the others: the clock was ahead.
local longest = current + 3600000 + lease
local ahead = redis.call('ZRANGEBYSCORE', leases, '(' .. longest, '+inf', 'LIMIT', 0, 500)
for _, id in ipairs(ahead) do silent[#silent + 1] = id end
for _, id in ipairs(silent) do
    local text = redis.call('GET', id)
    if not text then
        let_go(id)
    else
        local before, job = status_of(text), cjson.decode(text)
        local lost = (job.lost or 0) + 1
        local count = '"lost":' .. lost .. ',"completed":' .. completed
        if before == 'aborting' then
            finish(id, before, 'aborted', patched(text, 'aborted', count), job.ttl, now)
        elseif lost > tonumber(most) then
            count = count .. ',"error":' .. failed
            finish(id, before, 'failed', patched(text, 'failed', count), job.ttl, now)
        else
            local back = '"lost":' .. lost .. ',"attempts":' .. (job.attempts - 1)
                .. ',"progress":0,"message":null,"worker_id":null,"started":0'
            queue(id, before, patched(text, 'queued', back), '0')
        end
        swept[#swept + 1] = id
    end
end
for _, id in ipairs(redis.call('LRANGE', active, 0, -1)) do
    if redis.call('HEXISTS', claims, id) == 0 then
        local since = redis.call('HGET', suspects, id)
        if not since then
            redis.call('HSET', suspects, id, current)
        elseif current - since > tonumber(lease) then
            redis.call('HDEL', suspects, id)
            redis.call('LREM', active, 1, id)
            local text = redis.call('GET', id)
            if text and status_of(text) == 'queued' then
                redis.call('RPUSH', queued, id)
                swept[#swept + 1] = id
            end
        end
    end
end
return swept
"""
)

CLEAR: Final = (
    _COMMON
    + """
local gone = redis.call('ZRANGEBYSCORE', expires, '-inf', ARGV[1], 'LIMIT', 0, 500)
for _, id in ipairs(gone) do
    redis.call('DEL', id)
    redis.call('ZREM', all, id)
    redis.call('ZREM', expires, id)
    for _, status in ipairs({'aborted', 'failed', 'complete'}) do
        redis.call('ZREM', is .. status, id)
    end
end
return #gone
"""
)
