/**
 * Extends leases, and carries what the handlers reported. Answers held, lost or cancelled for each. The first write could
 * only free memory: after it a full server refuses none of the others, and a long job keeps its lease.
 */
export const renewScript: string = `
local function endsWith(log, lines)
  for i, line in ipairs(lines) do
    local is = log[#log - #lines + i]
    if not is or is.at ~= line.at or is.message ~= line.message then return false end
  end
  return true
end

redis.call('HDEL', K .. 'notes', '')
local ids = {}
for i, beat in ipairs(args.beats) do ids[i] = beat.id end
local headers = redis.call('HMGET', K .. 'state', unpack(ids))
local bodies = redis.call('HMGET', K .. 'jobs', unpack(ids))
local out, leases = {}, {}
for i, beat in ipairs(args.beats) do
  local text = headers[i] and string.match(headers[i], '^[^\\n]*')
  local header = text and cjson.decode(text)
  if header and header.s == 'r' and header.f == beat.fence then
    leases[#leases + 1] = args['until']
    leases[#leases + 1] = beat.id
    out[i] = header.c and 'cancelled' or 'held'
    if beat.progress or beat.log then
      local before = redis.call('HGET', K .. 'notes', beat.id)
      local notes = before and cjson.decode(before) or {}
      if beat.progress then
        notes.progress = beat.progress
        local task, queue = kindOfBody(bodies[i])
        tell(3, queue, task, header.a, { beat.id }, beat.progress)
      end
      if beat.log then
        local log = notes.log or {}
        if not (args.again and endsWith(log, beat.log)) then
          for _, line in ipairs(beat.log) do log[#log + 1] = line end
        end
        while #log > args.maxLines do table.remove(log, 1) end
        notes.log = log
      end
      redis.call('HSET', K .. 'notes', beat.id, cjson.encode(notes))
    end
  else
    out[i] = 'lost'
  end
end
if #leases > 0 then redis.call('ZADD', K .. 'leases', unpack(leases)) end
finish()
return out
`
