/**
 * Blocks: jobs that were accepted together and are alike stand in one entry of the stream `order`, under the number of the
 * first of them. Their ids are rests behind a prefix, divided by spaces, which only the id of a block of one may have. A list
 * `fresh` holds blocks, not jobs: its first one with the place of the byte where the rest of it begins.
 */
export const blocks: string = `
local function readBlock(entry)
  local block, fields = { first = tonumber((string.match(entry[1], '^%d+'))) }, entry[2]
  for i = 1, #fields, 2 do block[fields[i]] = fields[i + 1] end
  return block
end

local function blockOf(first)
  local entry = redis.call('XRANGE', K .. 'order', first .. '-0', first .. '-0')[1]
  return entry and readBlock(entry)
end

-- The block that the job of this number is in.
local function blockAround(seq)
  local entry = redis.call('XREVRANGE', K .. 'order', seq .. '-0', '-', 'COUNT', 1)[1]
  return entry and readBlock(entry)
end

local function isIn(block, body)
  local seq = tonumber((string.match(body, '^%d+')))
  return seq and seq >= block.first and seq < block.first + block.n
end

-- Up to so many ids of a block from a byte on, and the byte behind each of them.
local function idsFrom(block, from, most)
  local ids, ends, prefix, rests = {}, {}, block.p, block.i
  if block.n == '1' then
    if from == 1 then return { prefix .. rests }, { #rests + 2 } end
    return ids, ends
  end
  while from <= #rests and #ids < most do
    local at = string.find(rests, ' ', from, true) or #rests + 1
    ids[#ids + 1] = prefix .. string.sub(rests, from, at - 1)
    from = at + 1
    ends[#ends + 1] = from
  end
  return ids, ends
end

local function idsOf(block) return (idsFrom(block, 1, 1e9)) end

-- A block in a list: its number, and the byte where the rest of it begins.
local function refOf(text)
  local first, from = string.match(text, '^(%d+)%+?(%d*)$')
  return first, tonumber(from) or 1
end
`

/** Forgets ended jobs and all that is known of them. */
export const forgetting: string = `
-- A block goes when the last of its jobs does; so does its place in the list of those that were never claimed.
local function forgetBlock(block)
  redis.call('XDEL', K .. 'order', block.first .. '-0')
  local _, queue, priority = kindOf(block.k)
  local fresh = K .. 'fresh:' .. queue .. ':' .. priority
  local head = redis.call('LINDEX', fresh, 0)
  local first = head and refOf(head)
  if not first or tonumber(first) > block.first then return end
  redis.call('LREM', fresh, 1, tonumber(first) == block.first and head or block.first)
end

local function leaveBlocks(seqs)
  table.sort(seqs)
  local i = 1
  while i <= #seqs do
    local block, gone = blockAround(seqs[i]), 0
    local n = block and tonumber(block.n) or 0
    local last = block and block.first + n - 1 or seqs[i]
    while i <= #seqs and seqs[i] <= last do i, gone = i + 1, gone + 1 end
    local first = block and block.first
    if gone == n and n > 0 then
      forgetBlock(block)
    elseif n > 0 and redis.call('HINCRBY', K .. 'left', first, gone) == n then
      redis.call('HDEL', K .. 'left', first)
      forgetBlock(block)
    end
  end
end

-- With a state the numbers of the queues are told as well.
local function forget(ids, state)
  local seqs, ofKind = {}, {}
  for _, body in ipairs(redis.call('HMGET', K .. 'jobs', unpack(ids))) do
    local seq, kind, few
    if body then seq, kind, few = string.match(body, '^(%d+)|(%d+)|%w+|[^|\\n]*|?([^\\n]*)\\n') end
    if seq then
      seqs[#seqs + 1] = tonumber(seq)
      ofKind[kind] = (ofKind[kind] or 0) + 1
      local once = few ~= '' and cjson.decode(few).once
      if once then redis.call('HDEL', K .. 'once', once[1]) end
    end
  end
  for _, name in ipairs({ 'jobs', 'state', 'notes' }) do redis.call('HDEL', K .. name, unpack(ids)) end
  leaveBlocks(seqs)
  for kind, n in pairs(state and ofKind or {}) do
    local _, queue = kindOf(kind)
    count(queue, state, -n)
    count(queue, 'forgotten', n)
  end
end
`
