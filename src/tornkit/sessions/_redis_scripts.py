"""What Redis runs for `tornkit.sessions.redis`: one script for each verb of a store."""

from __future__ import annotations

from tornkit._redis import Script

__all__ = [
    "APPLY",
    "BEYOND",
    "CLEAR",
    "CREATE",
    "DELETE",
    "DELETE_USER",
    "DONE",
    "INCREMENT",
    "LIST_USER",
    "ROTATE",
    "SWAP",
]

DONE, BEYOND = 1, 2  # 0: there is no such session

# Every script gets the prefix, and most then an id's hash, `seen`, `expires` and the
# milliseconds to live. A member of `ends` is an id's hash, 64 characters, and the user's id:
# what it takes to tidy up after a session that Redis forgot by itself.
_SHARED = """
local prefix, id = ARGV[1], ARGV[2]
local key, ends = prefix .. id, prefix .. 'ends'

local function renew()
  redis.call('HSET', key, 'seen', ARGV[3], 'expires', ARGV[4])
  redis.call('PEXPIRE', key, ARGV[5])
  redis.call('ZADD', ends, ARGV[4], id .. (redis.call('HGET', key, 'user') or ''))
end

local function change(at)
  local last = at + tonumber(ARGV[at])
  for i = at + 1, last do redis.call('HDEL', key, '=' .. ARGV[i]) end
  for i = last + 1, #ARGV, 2 do redis.call('HSET', key, '=' .. ARGV[i], ARGV[i + 1]) end
end

local function write()
  local user = ARGV[6]
  redis.call('HSET', key, 'created', ARGV[7], 'meta', ARGV[8])
  if user ~= '' then
    redis.call('HSET', key, 'user', user)
    redis.call('SADD', prefix .. 'user:' .. user, id)
  end
  renew()
end

local function leave(hash)
  local user = redis.call('HGET', prefix .. hash, 'user') or ''
  redis.call('ZREM', ends, hash .. user)
  if user ~= '' then redis.call('SREM', prefix .. 'user:' .. user, hash) end
end
"""


def _script(text: str) -> Script:
    return Script(_SHARED + text)


CREATE = _script("""
write()
change(9)
""")

APPLY = _script("""
if redis.call('EXISTS', key) == 0 then return 0 end
change(6)
renew()
return 1
""")

# Lua's own numbers are doubles, so that the sum leaves as text.
INCREMENT = _script("""
if redis.call('EXISTS', key) == 0 then return {0, false} end
local field = '=' .. ARGV[6]
local answer = redis.pcall('HINCRBY', key, field, ARGV[7])
local text = redis.call('HGET', key, field)
if type(answer) == 'table' and answer.err then return {2, text} end
renew()
return {1, text}
""")

SWAP = _script("""
if redis.call('EXISTS', key) == 0 then return 0 end
local field = '=' .. ARGV[6]
if (redis.call('HGET', key, field) or '') ~= ARGV[7] then return 2 end
redis.call('HSET', key, field, ARGV[8])
renew()
return 1
""")

ROTATE = _script("""
local old = ARGV[9]
if redis.call('EXISTS', prefix .. old) == 0 then return 0 end
leave(old)
redis.call('RENAME', prefix .. old, key)
redis.call('HDEL', key, 'user')
write()
change(10)
return 1
""")

DELETE = _script("""
leave(id)
return redis.call('DEL', key)
""")

DELETE_USER = _script("""
local user, count = ARGV[2], 0
local all = prefix .. 'user:' .. user
for _, hash in ipairs(redis.call('SMEMBERS', all)) do
  count = count + redis.call('DEL', prefix .. hash)
  redis.call('ZREM', ends, hash .. user)
end
redis.call('DEL', all)
return count
""")

LIST_USER = _script("""
local all, found = prefix .. 'user:' .. ARGV[2], {}
for _, hash in ipairs(redis.call('SMEMBERS', all)) do
  local row = redis.call(
    'HMGET', prefix .. hash, 'user', 'created', 'seen', 'expires', 'meta')
  if row[1] then
    table.insert(row, 1, hash)
    table.insert(found, row)
  else
    redis.call('SREM', all, hash)
  end
end
return found
""")

CLEAR = _script("""
local over = redis.call('ZRANGEBYSCORE', ends, '-inf', ARGV[2], 'LIMIT', 0, ARGV[3])
local count = 0
for _, member in ipairs(over) do
  local hash, user = string.sub(member, 1, 64), string.sub(member, 65)
  count = count + redis.call('DEL', prefix .. hash)
  if user ~= '' then redis.call('SREM', prefix .. 'user:' .. user, hash) end
  redis.call('ZREM', ends, member)
end
return {#over, count}
""")
