-- One exchange of a process at the ledger of a subscription: the same steps, in the same order, as SharedLedger.take in
-- shared_ledger.py, which explains them. Spans and instants are whole microseconds. Constants (SPAN, HOLD, …) stand before.
--
--   1 the clock         TIME of the server; set back, it goes on from where it was
--   2 losses            state gone, set back, evicted in part, or untouched while processes lived: one window's pause
--   3 who asks          an outdated exchange changes nothing; an unknown process is asked to introduce itself
--   4 the day           minutes older than a day leave
--   5 answers           their tokens return a window after the answer, known or not (so a lost state heals)
--   6 unused grants     and those whose reply was lost: back at once
--   7 introduction      what the process has out, what was spent before a loss, what it spent in an outage
--   8 processes         this one lives on; tokens of those that are gone return one window from now
--   9 due tokens        return
--  10 pause             for all processes
--  11 headers           limits, and requests of others than these processes
--  12 grants            now, or at the instant of a return within the look-ahead
--
-- KEYS: tokens (sorted set: process:number -> instant of return), day (hash: minute -> count), state (hash),
--       processes (hash: process -> until:number:minute:round trip:waits until:interactive:background:limits:…)
local tokens, day, state, processes = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local me = ARGV[1]
local arg = {}
for index = 2, 22 do arg[index] = tonumber(ARGV[index]) end
local number, witnessed, known_grant, epoch_known, former = arg[2], arg[3], arg[4], ARGV[5], ARGV[6]
local interactive, background, own_per_second, own_per_day = arg[7], arg[8], arg[9], arg[10]
local share, round_trip, pause = arg[11], arg[12], arg[13]
local burst_limit, burst_remaining, burst_returned = arg[14], arg[15], arg[16]
local day_limit, day_remaining, outage, leaving = arg[17], arg[18], arg[19], arg[20] == 1
local expected = arg[22]
local position = 23
local function pairs_of(width)              -- the next list of the arguments, flat
  local count = tonumber(ARGV[position])
  local first = position + 1
  position = first + count * width
  return first, position - 1
end
local function text(value) return string.format('%.0f', value) end

-- 1 the clock
local clock = arg[21]
if clock == 0 then
  local time = redis.call('TIME')
  clock = time[1] * 1000000 + time[2]
end
local names = {'shift', 'seen', 'minute', 'paused', 'foreign', 'foreign_until', 'taken', 'returned', 'spent', 'day_foreign',
  'day_foreign_until', 'burst_limit', 'burst_limit_until', 'day_limit', 'day_limit_until', 'count', 'since',
  'sizes', 'epoch'}
local read = redis.call('HMGET', state, unpack(names))
local s = {}
for index = 1, 17 do s[names[index]] = tonumber(read[index] or 0) end
local epoch = read[19] or ''
local now = clock + s.shift
if now < s.seen then
  s.shift = s.shift + s.seen - now
  now = s.seen
end

-- 2 losses
local function sizes()
  return redis.call('ZCARD', tokens) .. ':' .. redis.call('HLEN', day) .. ':' .. redis.call('HLEN', processes)
end
if epoch == '' or witnessed > s.count or sizes() ~= read[18] then
  epoch = text(now)
  s.paused, s.since = math.max(s.paused, now + SPAN), now
  s.spent = 0
  for _, count in ipairs(redis.call('HVALS', day)) do s.spent = s.spent + tonumber(count) end
elseif now - s.seen > STALE and redis.call('HLEN', processes) > 0 then
  s.paused, s.since = math.max(s.paused, now + SPAN), now
end
s.seen = now
redis.call('HSET', state, 'seen', text(now)) -- the first write: a server that is full refuses it, and so the whole exchange
local function save()
  local values = {}
  for index = 1, 17 do
    values[#values + 1] = names[index]
    values[#values + 1] = text(s[names[index]])
  end
  redis.call('HSET', state, 'epoch', epoch, 'sizes', sizes(), unpack(values))
end

-- 3 who asks
local record = redis.call('HGETALL', processes)
local all = {}
for index = 1, #record, 2 do
  local values = {}
  for value in string.gmatch(record[index + 1], '%-?%d+') do values[#values + 1] = tonumber(value) end
  all[record[index]] = {till = values[1], number = values[2], minute = values[3], round_trip = values[4],
    waits_until = values[5], interactive = values[6], background = values[7], per_second = values[8],
    per_day = values[9], shares_until = values[10], outage = values[11]}
end
local known = all[me]
if known and number <= known.number then
  save()
  return {'outdated', epoch}
end
if epoch_known ~= '' and (epoch_known ~= epoch or not known) then
  save()
  return {'introduce', epoch}
end
s.count = s.count + 1

-- 4 the day
local minute = math.floor(now / MINUTE)
if minute > s.minute then
  local counts = redis.call('HGETALL', day)
  for index = 1, #counts, 2 do
    if tonumber(counts[index]) <= minute - DAY then
      s.spent = s.spent - tonumber(counts[index + 1])
      redis.call('HDEL', day, counts[index])
    end
  end
  s.minute = minute
end
local function book(at, count)
  redis.call('HINCRBY', day, text(at), text(count))
  s.spent = s.spent + count
end
local function unbook(at)
  if tonumber(redis.call('HGET', day, text(at)) or 0) < 1 then return false end
  redis.call('HINCRBY', day, text(at), -1)
  s.spent = s.spent - 1
  return true
end

-- 5 answers
local out = {}
local first, last = pairs_of(3)
for index = first, last, 3 do
  out[ARGV[index]] = true
  redis.call('ZADD', tokens, text(now + tonumber(ARGV[index + 2])), me .. ':' .. ARGV[index])
  local booked = tonumber(ARGV[index + 1])
  if booked >= 0 and booked < s.minute and unbook(booked) then book(s.minute, 1) end
end

-- 6 unused grants
if known then
  local lost = known_grant + 1
  while redis.call('ZREM', tokens, me .. ':' .. text(lost)) == 1 do
    s.taken = s.taken - 1
    unbook(known.minute)
    lost = lost + 1
  end
end
first, last = pairs_of(2)
for index = first, last, 2 do
  if redis.call('ZREM', tokens, me .. ':' .. ARGV[index]) == 1 then
    s.taken = s.taken - 1
    unbook(tonumber(ARGV[index + 1]))
  end
end

-- 7 introduction
local held_first, held_last = pairs_of(1)
local minutes_first, minutes_last = pairs_of(2)
local used_first, used_last = pairs_of(2)
if epoch_known == '' then
  for index = held_first, held_last do out[ARGV[index]] = true end
  local mine = me .. ':'
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', tokens, '(' .. text(now + SPAN), '+inf')) do
    if string.sub(id, 1, #mine) == mine and not out[string.sub(id, #mine + 1)] then
      redis.call('ZADD', tokens, text(now + SPAN), id)
    end
  end
  for index = held_first, held_last do redis.call('ZADD', tokens, text(now + HOLD), mine .. ARGV[index]) end
  if former ~= epoch then
    for index = minutes_first, minutes_last, 2 do
      local age, count = tonumber(ARGV[index]), tonumber(ARGV[index + 1])
      local more = count - tonumber(redis.call('HGET', day, text(s.minute - age)) or 0)
      if more > 0 and age < DAY then book(s.minute - age, more) end
    end
  end
  if not known or outage > known.outage then
    for index = used_first, used_last, 2 do
      local age, count = tonumber(ARGV[index]), tonumber(ARGV[index + 1])
      if age < DAY then book(s.minute - age, count) end
    end
  end
end

-- 8 processes
local own = {till = leaving and now or now + ALIVE, number = number, minute = s.minute, round_trip = round_trip,
  waits_until = 0, interactive = 0, background = 0, per_second = own_per_second, per_day = own_per_day,
  shares_until = background > 0 and now + SHARING or known and known.shares_until or 0,
  outage = math.max(outage, known and known.outage or 0)}
all[me] = own
local dead, some_dead = {}, false
for name, process in pairs(all) do
  if process.till <= now then
    dead[name], some_dead = true, true
    redis.call('HDEL', processes, name)
  end
end
if some_dead then
  for name in pairs(dead) do all[name] = nil end
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', tokens, '(' .. text(now + SPAN), '+inf')) do
    if dead[string.match(id, '^(.*):')] then redis.call('ZADD', tokens, text(now + SPAN), id) end
  end
end

-- 9 due tokens
s.returned = s.returned + redis.call('ZREMRANGEBYSCORE', tokens, '-inf', text(now))
if s.foreign_until <= now then s.foreign = 0 end
if s.day_foreign_until <= now then s.day_foreign = 0 end
if s.burst_limit_until <= now then s.burst_limit = 0 end
if s.day_limit_until <= now then s.day_limit = 0 end

-- 10 pause
if pause > 0 then
  s.paused = math.max(s.paused, now + pause)
  for name, process in pairs(all) do
    if process.round_trip > 0 then
      process.round_trip = 0
      process.changed = true
    end
  end
end

-- 11 headers
if burst_limit > 0 then s.burst_limit, s.burst_limit_until = burst_limit, now + LAPSE end
if day_limit > 0 and day_limit >= s.spent - redis.call('ZCARD', tokens) then
  s.day_limit, s.day_limit_until = day_limit, now + LAPSE
end
local agreed_per_second, agreed_per_day, smallest, elsewhere, rank = UNLIMITED, UNLIMITED, nil, 0, 0
for name, process in pairs(all) do
  agreed_per_second = math.min(agreed_per_second, process.per_second)
  agreed_per_day = math.min(agreed_per_day, process.per_day)
  smallest = math.min(smallest or process.round_trip, process.round_trip)
  if name ~= me then elsewhere = elsewhere + 1 end
  if name < me then rank = rank + 1 end
end
local per_second = math.min(agreed_per_second, s.burst_limit > 0 and s.burst_limit or UNLIMITED)
local per_day = math.min(agreed_per_day, s.day_limit > 0 and s.day_limit or UNLIMITED)
if burst_limit > 0 and burst_remaining >= 0 then
  s.foreign = math.max(0, per_second - burst_remaining - (s.taken - burst_returned))
  s.foreign_until = now + SPAN
end
if day_limit > 0 and day_remaining >= 0 and s.day_limit == day_limit then
  s.day_foreign = math.max(0, per_day - day_remaining - s.spent)
  s.day_foreign_until = now + LAPSE
end

-- 12 grants
local early = (pause > 0 or leaving) and 0 or smallest or 0
local horizon = math.max(LOOK_AHEAD, math.floor(SPAN / per_second))
local after = '(' .. text(now + early)
local soon = nil
local function return_at(place)
  if not soon then
    soon = {}
    local found = redis.call('ZRANGEBYSCORE', tokens, after, text(now + early + horizon), 'WITHSCORES')
    for index = 2, #found, 2 do soon[#soon + 1] = tonumber(found[index]) - now - early end
  end
  return soon[place]
end
local free = per_second - redis.call('ZCOUNT', tokens, after, '+inf') - s.foreign
if now < s.since + ALIVE then               -- the share of processes that may not have noticed that the ledger is back
  local total, present = 0, 0
  for _, process in pairs(all) do
    total = total + 1
    if process.till - ALIVE >= s.since then present = present + 1 end
  end
  expected = math.max(expected, total)
  free = free - math.max(0, expected - present) * math.max(1, math.floor(per_second / expected))
end
local others, interactive_elsewhere, ahead, sharers = 0, false, 0, 1
for name, process in pairs(all) do
  if name ~= me then
    if process.shares_until > now then sharers = sharers + 1 end
    if process.waits_until > now then
      others = others + 1
      ahead = ahead + process.interactive + process.background
      if process.interactive > 0 then interactive_elsewhere = true end
    end
  end
end
local most = per_second
if others > 0 and interactive + background > 0 then
  local mine, left = 0, per_second
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', tokens, after, '+inf')) do
    local name = string.match(id, '^(.*):')
    local process = all[name]
    if name == me then mine = mine + 1 elseif not (process and process.waits_until > now) then left = left - 1 end
  end
  most = math.max(0, math.ceil(left / (others + 1)) - mine)
end
local function returns_in(place)
  local own_return = return_at(place)
  if s.foreign == 0 then return own_return end
  local left = place - s.foreign
  local with_foreign = s.foreign_until - now
  if left > 0 then
    local at = return_at(left)
    if not at then return own_return end
    with_foreign = math.max(with_foreign, at)
  end
  if own_return and own_return <= with_foreign then return own_return end
  return with_foreign
end
local paused_for = math.max(0, s.paused - now)
local delays = {}
local next_return = nil
if interactive + background > 0 then
  local found = redis.call('ZRANGEBYSCORE', tokens, after, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  next_return = found[2] and tonumber(found[2]) - now - early
end
local function grant(wanted, keep, day_keep)
  local granted = 0
  while granted < wanted and #delays < most do
    if per_day - s.spent - s.day_foreign <= day_keep then break end
    local lacking = keep + 1 - free
    local wait = 0
    if lacking > 0 then wait = returns_in(lacking) end
    if not wait then break end
    wait = math.max(wait, paused_for)
    if wait > horizon then break end
    delays[#delays + 1] = wait
    redis.call('ZADD', tokens, text(now + wait + HOLD), me .. ':' .. text(known_grant + #delays))
    s.taken, s.spent, free, granted = s.taken + 1, s.spent + 1, free - 1, granted + 1
  end
  return granted
end
local reserve, day_reserve = math.floor(per_second * share / MILLION), math.floor(per_day * share / MILLION)
local got_interactive, got_background = grant(interactive, 0, 0), 0
if got_interactive == interactive and not interactive_elsewhere then
  got_background = grant(background, reserve, day_reserve)
end
if #delays > 0 then redis.call('HINCRBY', day, text(s.minute), #delays) end
local lacking_interactive, lacking_background = interactive - got_interactive, background - got_background
local again, blocked_for, is_day = -1, 0, 0
if lacking_interactive + lacking_background > 0 then
  own.waits_until, own.interactive, own.background = now + WAITING, lacking_interactive, lacking_background
  local lacking = (lacking_interactive > 0 and 1 or reserve + 1) - free
  local soonest = 0
  if lacking > 0 then soonest = returns_in(lacking) end
  if not soonest then
    soonest = next_return
    if s.foreign > 0 then soonest = math.min(soonest or s.foreign_until - now, s.foreign_until - now) end
    local half = math.floor(horizon / 2)
    soonest = math.min(math.max(soonest or 0, RETRY + half), RETRY_LATEST + half)
  end
  again = math.max(soonest - math.floor(horizon / 2),
    #delays > 0 and math.floor(delays[#delays] / 2) or 0, paused_for - math.floor(horizon / 2), math.floor(horizon / 4))
  blocked_for = paused_for
  if per_day - s.spent - s.day_foreign <= (lacking_interactive > 0 and 0 or day_reserve) then
    is_day = 1
    local back = math.max(0, s.day_foreign_until - now)
    if s.day_foreign == 0 then
      local oldest = s.minute
      local counts = redis.call('HGETALL', day)
      for index = 1, #counts, 2 do
        if tonumber(counts[index + 1]) > 0 then oldest = math.min(oldest, tonumber(counts[index])) end
      end
      back = (oldest + DAY) * MINUTE - now
    end
    blocked_for = math.max(paused_for, back)
    again = math.min(blocked_for, 5 * SECOND)
  end
end
own.changed = not leaving
for name, process in pairs(all) do
  if process.changed then
    redis.call('HSET', processes, name, table.concat({text(process.till), text(process.number), text(process.minute),
      text(process.round_trip), text(process.waits_until), text(process.interactive), text(process.background),
      text(process.per_second), text(process.per_day), text(process.shares_until), text(process.outage)}, ':'))
  end
end
save()
local counts = epoch_known == '' and redis.call('HGETALL', day) or {}
for index = 1, #counts, 2 do
  counts[index], counts[index + 1] = s.minute - tonumber(counts[index]), tonumber(counts[index + 1])
end
return {'ok', epoch, got_interactive, got_background, delays, again, blocked_for, is_day, ahead, others + 1, sharers,
  elsewhere + 1, rank, s.returned, s.taken, math.max(0, free), math.max(0, per_day - s.spent - s.day_foreign),
  paused_for, per_second, per_day, agreed_per_second, agreed_per_day, s.count, s.minute, counts}
