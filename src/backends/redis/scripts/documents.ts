/** Changes documents where the version is the expected one, each with its jobs. Answers 1 or 0 for each. */
export const documentsScript: string = `
if not areKindsKnown() then return { 'kinds' } end
local at, out = 2, {}
for i, change in ipairs(args.changes) do
  local values, due = K .. 'docs:' .. change.kind, K .. 'docdue:' .. change.kind
  local text = redis.call('HGET', values, change.name)
  local version = text and tonumber(string.match(text, '^(%d+)|')) or 0
  if version ~= change.expected then
    out[i] = 0
    at = behind(change.groups or {}, at)
  else
    out[i] = 1
    if change.value then
      local dueAt = change.due and string.format('%d', change.due) or ''
      redis.call('HSET', values, change.name, (version + 1) .. '|' .. dueAt .. '|' .. change.value)
      redis.call('ZADD', K .. 'docnames:' .. change.kind, 0, change.name)
    else
      redis.call('HDEL', values, change.name)
      redis.call('ZREM', K .. 'docnames:' .. change.kind, change.name)
    end
    if change.value and change.due then redis.call('ZADD', due, change.due, change.name)
    else redis.call('ZREM', due, change.name)
    end
    at = accept(change.groups or {}, at, {})
  end
end
finish()
return out
`
