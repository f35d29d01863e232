/** Takes jobs in. Answers `kinds` where those named are not the store's: it was emptied; or see `accept`. */
export const acceptScript: string = `
if not areKindsKnown() then return { 'kinds' } end
local out = {}
accept(args.groups, 2, out)
finish()
return out
`

/** The numbers of kinds, which get one if they have none. */
export const kindsScript: string = `
local out = {}
for i, text in ipairs(args.texts) do
  local number = redis.call('HGET', K .. 'kindnumbers', text)
  if not number then
    number = string.format('%d', redis.call('HINCRBY', K .. 'meta', 'kinds', 1))
    redis.call('HSET', K .. 'kinds', number, text)
    redis.call('HSET', K .. 'kindnumbers', text, number)
  end
  out[i] = number
end
return out
`
