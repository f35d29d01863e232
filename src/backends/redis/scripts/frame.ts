import { wasOf } from '../../counts.ts'

/**
 * What every script begins with. Scripts keep the indexes together and decide nothing about a job: TypeScript says what it
 * becomes, and a script does it where the job still is what TypeScript saw.
 *
 * `ARGV[1]` is a JSON object of named values; what is large follows as it is. `KEYS[1]` is the beginning of all keys, and
 * holds the hash tag that keeps them in one slot. What is done a job costs a server more than all else: whatever can be is
 * done for many at once, and a number that goes to the server as text is made text once.
 */
export const frame: string = `
local K = KEYS[1]
local args = cjson.decode(ARGV[1])
local now = args.now
local nowText = string.format('%d', now)
local counts, hints = {}, {}
local told, toldCount, toldMask = {}, 0, 0

local was = { ${Object.entries(wasOf)
  .map(([state, counted]) => `${state} = '${counted}'`)
  .join(', ')} }

local function count(queue, what, by)
  local field = what .. ' ' .. queue
  counts[field] = (counts[field] or 0) + by
  if by < 0 and was[what] then count(queue, was[what], -by) end
end

-- The bytes of the payload in a body.
local function sizeOf(body)
  local head = string.find(body, '\\n', 1, true)
  return head and #body - head or 0
end

-- Events of a type (a position in jobEventTypes): of n jobs, whose ids are rests behind a prefix, divided by spaces.
local function tellOf(kind, queue, task, attempt, n, prefix, rests, data)
  told[#told + 1] = { kind, queue, task, attempt, n, prefix, rests, data }
  toldCount = toldCount + n
  toldMask = bit.bor(toldMask, bit.lshift(1, kind))
end

local function tell(kind, queue, task, attempt, ids, data)
  tellOf(kind, queue, task, attempt, #ids, '', table.concat(ids, ' '), data)
end

local isPublishing
-- A message broker is to be told of jobs of a queue that can start from now on, if there is one.
local function publish(queue, ids)
  if isPublishing == nil then isPublishing = redis.call('HGET', K .. 'meta', 'outbox') == '1' end
  if not isPublishing then return end
  local due = {}
  for i = 1, #ids do
    due[2 * i - 1], due[2 * i] = '0', ids[i]
  end
  redis.call('ZADD', K .. 'publish', unpack(due))
  redis.call('ZREM', K .. 'out:' .. queue, unpack(ids))
end

local function opened(queue, ids)
  hints[queue] = true
  publish(queue, ids)
end

-- Who stands first in the line of a key may be claimed, if it waits; nobody else of the line.
local function settleLine(queue, key)
  local ready, field = K .. 'ready:' .. queue, queue .. ' ' .. key
  local head = redis.call('ZRANGE', K .. 'line:' .. field, 0, 0)[1]
  local open = redis.call('HGET', K .. 'open', field)
  local rank
  if head then
    local header = cjson.decode(redis.call('HGET', K .. 'state', string.sub(head, 17)))
    if header.s == 'q' then rank = header.r end
  end
  if open and (open ~= head or not rank) then
    redis.call('ZREM', ready, open)
    redis.call('HDEL', K .. 'open', field)
    open = nil
  end
  if not rank then return end
  redis.call('ZADD', ready, rank, head)
  if open then return end
  redis.call('HSET', K .. 'open', field, head)
  opened(queue, { string.sub(head, 17) })
end

-- The last thing a script does: writes what was added up, and tells who listens.
local function finish()
  for field, by in pairs(counts) do
    if by ~= 0 then redis.call('HINCRBY', K .. 'counts', field, by) end
  end
  if toldCount > 0 then
    local last = redis.call('HINCRBY', K .. 'meta', 'events', toldCount)
    redis.call('XADD', K .. 'events', (last - toldCount + 1) .. '-0', 'last', last, 'at', nowText, 'types', toldMask,
      'told', cjson.encode(told))
    redis.call('PUBLISH', K .. 'events', toldMask)
  end
  for queue in pairs(hints) do redis.call('PUBLISH', K .. 'jobs', queue) end
end

-- The earliest instant at which time alone moves a job.
local function nextDue()
  local at
  for _, name in ipairs({ 'scheduled', 'leases', 'deadlines' }) do
    local first = redis.call('ZRANGE', K .. name, 0, 0, 'WITHSCORES')[2]
    first = first and tonumber(first)
    if first and (not at or first < at) then at = first end
  end
  return at
end
`
