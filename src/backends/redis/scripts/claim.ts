import { AGING_MS } from '../../../job/priority.ts'
import { spending } from './outbox.ts'

/** Ranks as TypeScript has them. */
export const ranking: string = `
local function rankOf(accepted, priority) return accepted - priority * ${AGING_MS} end
`

/**
 * Takes the most urgent jobs of a queue. They come from up to eleven sources: a list for each priority of blocks of jobs that
 * were never claimed, and the sorted set `ready` of those that came back, were due later, or have a key. All of a block have
 * one rank, and their numbers have no other between them, so that a block is taken as a whole as far as the limit goes. A
 * job of a block that has a header by now, or no body, is no longer meant. One that came back to `ready` stood before all that
 * are left of its block, which has the number of its last job for that.
 */
export const claiming: string = `${spending}
local function claim(want)
  local queue, limit = want.queue, want.limit

  -- The answer to the same call was lost: what it took is answered as it is now.
  local function answerAgain()
    local text = redis.call('GET', K .. 'claimed:' .. want.by)
    local call, list = string.match(text or '', '^(%d+) (.*)$')
    if tonumber(call) ~= want.call then return nil end
    local ids, bodies, headers = {}, {}, {}
    for _, id in ipairs(cjson.decode(list)) do
      local body, header = redis.call('HGET', K .. 'jobs', id), redis.call('HGET', K .. 'state', id)
      local is = header and cjson.decode((string.match(header, '^[^\\n]*')))
      if body and is and is.s == 'r' and is.w == want.worker and is.t == want.started then
        kindOfBody(body)
        ids[#ids + 1], bodies[#bodies + 1], headers[#headers + 1] = id, body, header
      end
    end
    return { 'taken', '', kindsMet(), ids, bodies, headers }
  end
  if args.again then
    local answer = answerAgain()
    if answer then return answer end
  end

  if redis.call('SISMEMBER', K .. 'paused', queue) == 1 then
    spend(queue, limit, {})
    return { 'paused', '' }
  end
  local due = nextDue()
  if due and due <= now then return { 'due', '' } end

  local untilText = string.format('%d', want['until'])
  local claimed = K .. 'claimed:' .. want.by
  local ids, bodies, headers, hasHeaders = {}, {}, {}, false

  -- The next block of a list in which a job is left, cut to what may be taken; nil at the end.
  local function openBlock(s)
    while true do
      local ref = redis.call('LINDEX', s.key, 0)
      if not ref then return nil end
      local first, from = refOf(ref)
      local block = blockOf(first)
      local some, ends = {}, {}
      if block then some, ends = idsFrom(block, from, limit) end
      if #some > 0 then
        local found = redis.call('HMGET', K .. 'jobs', unpack(some))
        local touched = redis.call('HMGET', K .. 'state', unpack(some))
        local open = { ids = {}, bodies = {}, ends = {}, kind = block.k, first = block.first, size = #block.i,
          rank = rankOf(tonumber(block.a), s.priority), seq = block.first + block.n - 1, behind = ends[#ends] }
        -- A job that was let go and came again stands in a newer block as well.
        local isWhole = redis.call('HEXISTS', K .. 'left', first) == 0
        for i = 1, #some do
          if found[i] and not touched[i] and (isWhole or isIn(block, found[i])) then
            local at = #open.ids + 1
            open.ids[at], open.bodies[at], open.ends[at] = some[i], found[i], ends[i]
          end
        end
        if #open.ids > 0 then return open end
        if open.behind <= open.size then redis.call('LSET', s.key, 0, first .. '+' .. open.behind)
        else redis.call('LPOP', s.key) end
      else
        redis.call('LPOP', s.key)
      end
    end
  end

  -- Takes of a block as many as may be: what is left of it stays in the list.
  local function takeBlock(s)
    local block, most = s.head, limit - #ids
    local n = math.min(most, #block.ids)
    local at, some = #ids, {}
    for i = 1, n do
      ids[at + i], bodies[at + i], some[i] = block.ids[i], block.bodies[i], block.ids[i]
    end
    local behind = n < #block.ids and block.ends[n] or block.behind
    if behind > block.size then redis.call('LPOP', s.key)
    else redis.call('LSET', s.key, 0, string.format('%d+%d', block.first, behind)) end
    local task = kindOf(block.kind)
    tell(2, queue, task, 1, some)
  end

  -- The next job of the sorted set that can be read and waits; nil at the end.
  local function openReady(s)
    while true do
      local got = redis.call('ZRANGE', s.key, 0, 0, 'WITHSCORES')
      local member = got[1]
      if not member then return nil end
      local id = string.sub(member, 17)
      local body, text = redis.call('HGET', K .. 'jobs', id), redis.call('HGET', K .. 'state', id)
      local header = text and cjson.decode((string.match(text, '^[^\\n]*')))
      if body and header and header.s == 'q' and string.match(body, '^%d+|%d+|') then
        return { id = id, body = body, header = header, member = member, rank = tonumber(got[2]),
          seq = tonumber(string.sub(member, 1, 16)) }
      end
      redis.call('ZREM', s.key, member)
    end
  end

  local function takeReady(s)
    local job = s.head
    local header = job.header
    header.s, header.a, header.f, header.t, header.w = 'r', header.a + 1, header.f + 1, want.started, want.worker
    redis.call('ZREM', s.key, job.member)
    if header.k then
      local field = queue .. ' ' .. header.k
      redis.call('ZADD', K .. 'line:' .. field, -1, job.member)
      redis.call('HDEL', K .. 'open', field)
    end
    local at = #ids + 1
    ids[at], bodies[at], headers[at] = job.id, job.body, cjson.encode(header)
    hasHeaders = true
    local task = kindOfBody(job.body)
    tell(2, queue, task, header.a, { job.id })
  end

  local sources = { { key = K .. 'ready:' .. queue, open = openReady, take = takeReady } }
  for priority in string.gmatch(redis.call('HGET', K .. 'lanes', queue) or '', '%d') do
    sources[#sources + 1] =
      { key = K .. 'fresh:' .. queue .. ':' .. priority, priority = priority, open = openBlock, take = takeBlock }
  end

  while #ids < limit do
    local best
    for _, s in ipairs(sources) do
      if not s.head and not s.isEmpty then s.head = s.open(s) end
      local head = s.head
      if not head then s.isEmpty = true
      elseif not best or head.rank < best.head.rank or (head.rank == best.head.rank and head.seq < best.head.seq) then
        best = s
      end
    end
    if not best then break end
    best.take(best)
    best.head = nil
  end

  if #ids == 0 then
    spend(queue, limit, {})
    return { 'none', due and string.format('%d', due) or '' }
  end
  local rows, leases, size = {}, {}, 0
  for i = 1, #ids do
    local id = ids[i]
    size = size + sizeOf(bodies[i])
    rows[2 * i - 1], rows[2 * i] = id, headers[i] or want.fresh
    leases[2 * i - 1], leases[2 * i] = untilText, id
  end
  redis.call('ZADD', K .. 'leases', unpack(leases))
  redis.call('HSET', K .. 'state', unpack(rows))
  redis.call('SET', claimed, string.format('%d ', want.call) .. cjson.encode(ids), 'PX', want['until'] - now)
  spend(queue, limit, ids)
  count(queue, 'queued', -#ids)
  count(queue, 'bytes', -size)
  count(queue, 'running', #ids)
  if hasHeaders then
    for i = 1, #ids do headers[i] = headers[i] or '' end
  end
  return { 'taken', '', kindsMet(), ids, bodies, hasHeaders and headers or {} }
end
`

export const claimScript: string = `
local answer = claim(args)
finish()
return answer
`
