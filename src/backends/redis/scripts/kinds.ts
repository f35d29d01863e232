/** Kinds: what jobs are of alike, each written once. A body begins with its number and the number of its kind. */
export const kinds: string = `
local kindTexts, kindNumbers = {}, {}

-- Task, queue and priority.
local function kindOf(number)
  local text = kindTexts[number]
  if not text then
    text = redis.call('HGET', K .. 'kinds', number) or '||'
    kindTexts[number] = text
    kindNumbers[#kindNumbers + 1] = number
  end
  return string.match(text, '^([^|]*)|([^|]*)|([^|]*)')
end

local function kindOfBody(body) return kindOf(string.match(body, '^%d+|(%d+)|') or '') end

-- The kinds that were met, number and text in turn, for who reads the bodies.
local function kindsMet()
  local out = {}
  for i, number in ipairs(kindNumbers) do out[2 * i - 1], out[2 * i] = number, kindTexts[number] end
  return out
end
`
