#!lua flags=allow-key-locking
-- Admission: rates, breakers, concurrency and nested budgets of one call, all of them or none, in one round trip.
--
-- KEYS[1] the tenant's hash, KEYS[2] the index of its open holds at one provider (a sorted set, by expiry),
-- KEYS[3] the provider's hash (left out by a call that needs none). ARGV[1] says what to do:
--   admit   take a hold       settle  end it with what was used             sweep   end the holds that nobody settled
--   seed    begin an epoch    forget  drop records that the ledger has      raise   never below the ledger
--
-- Whole numbers only, below 10^14, which Lua writes with all their digits; times in milliseconds of the caller's clock,
-- but rates in microseconds. The strings in a hash are divided by spaces:
--   m        epoch seq version last day_start day_end month_start month_end
--   i        a token: this hash has no state that can be trusted, and waits to be seeded
--   stopped  resources that somebody switched off
--   o:<provider>  open due     how many holds are open, and before when none of them ends
--   h:<id>   state expires epoch seq admitted about, the starts of the four windows (day and month here, day and month
--            at the provider), the provider's epoch; "meters" and for each granted used; "breakers" and for each its
--            generation; "entries" as the caller gave them: place field kind meter of each budget, "|", place field of
--            each breaker. State o is open, s settled, x expired; the records of s and x wait here for the ledger.
--   u:...    start used held alerted limit      one budget in its present window
--   r:...    theoretical arrival time of a rate
--   b:...    opens until busy start calls failed slow, the same three of the window before, run passed lease
-- Absent is not zero: a hash without m admits nothing until it is seeded from the ledger.

local SWEPT_AT_ONCE = 32
local HELD_RETRY, PROBE_RETRY, FORCED_RETRY = 2000, 1000, 30000
-- A breaker: two windows of ten seconds, at least twenty calls, half of them failed or four in five slow; or five
-- failures on end. Open for 5 s, 10 s, ... 5 min and up to a quarter more; then one probe at a time, three to close.
local WINDOW, CALLS, FAILED_PERCENT, SLOW_PERCENT, RUN = 10000, 20, 50, 80, 5
local OPEN_FIRST, OPEN_LONGEST, CLOSED_AFTER = 5000, 300000, 3
local BREAKER = '(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)'
local META = '(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)'
local COUNTER = '(%-?%d+) (%-?%d+) (%-?%d+) (%d+) (%d+)'

local call, match, sub, format, concat = redis.call, string.match, string.sub, string.format, table.concat
local max, min, floor = math.max, math.min, math.floor
local tenant, index, provider = KEYS[1], KEYS[2], KEYS[3]
local now

local function numbers(packed, pattern)
  local list = {match(packed, pattern)}
  for place = 1, #list do
    list[place] = tonumber(list[place])
  end
  return list
end

-- Breakers ----------------------------------------------------------------------------------------------------------

local function open(breaker, at)
  local opens, busy = breaker[1] + 1, breaker[3]
  local length = min(OPEN_FIRST * 2 ^ min(opens - 1, 16), OPEN_LONGEST)
  for place = 1, 13 do
    breaker[place] = 0
  end
  -- The clock's last digits are the jitter: the same for everybody who looks, and different each time.
  breaker[1], breaker[2], breaker[3] = opens, at + floor(length * (4000 + at % 1000) / 4000), busy
end

-- As it is now. Who had the probe and did not come back within its lease has failed, at the moment the lease ended.
-- The counts stay text until something is added to them.
local function breaker_of(packed)
  if not packed then
    return {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
  end
  local breaker = {match(packed, BREAKER)}
  breaker[1], breaker[2], breaker[3] = tonumber(breaker[1]), tonumber(breaker[2]), tonumber(breaker[3])
  breaker[4], breaker[13] = tonumber(breaker[4]), tonumber(breaker[13])
  if breaker[13] > 0 and breaker[13] <= now then
    open(breaker, breaker[13])
  end
  return breaker
end

-- A reason to wait and for how long; or nil, and the generation for which the call's result will count: 0 of a closed
-- breaker, that of the opening for a probe, -1 where nothing is counted.
local function ask(breaker, mode)
  if mode == 'disabled' then
    return nil, -1
  elseif mode == 'open' then
    return 'breaker_open', FORCED_RETRY
  elseif mode == 'shadow' then
    return nil, breaker[1]
  elseif breaker[3] > now then
    return 'provider_busy', breaker[3] - now
  elseif breaker[1] == 0 then
    return nil, 0
  elseif breaker[2] > now then
    return 'breaker_open', breaker[2] - now
  elseif breaker[13] > 0 then
    return 'breaker_open', PROBE_RETRY
  end
  return nil, breaker[1]
end

-- One call more of a breaker that is closed and has seen nothing but successes, as nearly all are; nil for another.
local function counted_healthy(packed)
  local start, calls, before = match(packed, '^0 0 0 (%d+) (%d+) 0 0 (%d+) 0 0 0 0 0$')
  if start and now < start + WINDOW then
    return concat({'0 0 0', start, calls + 1, '0 0', before, '0 0 0 0 0'}, ' ')
  end
end

local function count(breaker, outcome)
  if now >= breaker[4] + 2 * WINDOW then
    breaker[4], breaker[5], breaker[6], breaker[7], breaker[8], breaker[9], breaker[10] = now, 0, 0, 0, 0, 0, 0
  elseif now >= breaker[4] + WINDOW then
    breaker[8], breaker[9], breaker[10] = breaker[5], breaker[6], breaker[7]
    breaker[4], breaker[5], breaker[6], breaker[7] = breaker[4] + WINDOW, 0, 0, 0
  end
  breaker[5] = breaker[5] + 1
  if outcome == 'failure' then
    breaker[6], breaker[11] = breaker[6] + 1, breaker[11] + 1
  else
    breaker[7], breaker[11] = breaker[7] + (outcome == 'slow' and 1 or 0), 0
  end
  local calls, failed, slow = breaker[5] + breaker[8], breaker[6] + breaker[9], breaker[7] + breaker[10]
  local tripped = calls >= CALLS and (failed * 100 >= FAILED_PERCENT * calls or slow * 100 >= SLOW_PERCENT * calls)
  if breaker[11] >= RUN or tripped then
    open(breaker, now)
  end
end

-- A result from before the breaker opened, or from an earlier opening, tells nothing about now.
local function tell(breaker, generation, outcome, expires)
  local is_probe = generation > 0 and generation == breaker[1]
  if is_probe and breaker[13] == expires then
    breaker[13] = 0
  end
  if outcome == 'neutral' then
    return
  elseif generation == 0 and breaker[1] == 0 then
    count(breaker, outcome)
  elseif is_probe and outcome == 'success' then
    breaker[12] = breaker[12] + 1
    if breaker[12] >= CLOSED_AFTER then
      for place = 1, 13 do
        breaker[place] = 0
      end
    end
  elseif is_probe then
    open(breaker, now)
  end
end

-- The end of a hold --------------------------------------------------------------------------------------------------

-- Made when it is needed: making a dozen functions costs a tenth of an admission.
local function ending()
  -- What of the two hashes is known and what shall be written, for the operations that end holds.
  local known, changed
  local function begin(tenant_fields, provider_fields)
    known, changed = {t = {}, p = {}}, {t = {}, p = {}}
    local values, found = call('HMGET', tenant, unpack(tenant_fields)), known.t
    for position = 1, #tenant_fields do
      found[tenant_fields[position]] = values[position]
    end
    if provider then
      values, found = call('HMGET', provider, unpack(provider_fields)), known.p
      for position = 1, #provider_fields do
        found[provider_fields[position]] = values[position]
      end
    end
  end
  local function change(place, field, value)
    known[place][field] = value
    local list = changed[place]
    list[#list + 1] = field
    list[#list + 1] = value
  end
  local function commit()
    if #changed.t > 0 then
      call('HSET', tenant, unpack(changed.t))
    end
    if #changed.p > 0 then
      call('HSET', provider, unpack(changed.p))
    end
  end

  local function read_record(packed)
    local record = {granted = {}, used = {}, generations = {}, starts = {}}
    local starts, granted, generations = record.starts, nil, nil
    record.state, record.expires, record.epoch, record.seq, record.middle, starts.td, starts.tm, starts.pd, starts.pm,
      record.provider_epoch, granted, generations, record.entries = match(packed,
      '^(%a) (%d+) (%d+) (%d+) (%d+ %S+) (%d+) (%d+) (%d+) (%d+) (%d+) meters (.-) breakers ?(.-) entries (.*)$')
    record.expires = tonumber(record.expires)
    for amount, used in string.gmatch(granted, '(%d+) (%d+)') do
      record.granted[#record.granted + 1] = tonumber(amount)
      record.used[#record.used + 1] = tonumber(used)
    end
    for generation in string.gmatch(generations, '%S+') do
      record.generations[#record.generations + 1] = tonumber(generation)
    end
    return record
  end

  local function packed_record(record)
    local starts, amounts = record.starts, {}
    for meter = 1, #record.granted do
      amounts[meter] = record.granted[meter] .. ' ' .. record.used[meter]
    end
    return concat({record.state, record.expires, record.epoch, record.seq, record.middle, starts.td, starts.tm,
      starts.pd, starts.pm, record.provider_epoch, 'meters', concat(amounts, ' '), 'breakers',
      concat(record.generations, ' '), 'entries', record.entries}, ' ')
  end

  -- Which hashes are still in the epoch in which they admitted this hold. Since then one may have been lost and seeded.
  local function current_places(record)
    if not record.current then
      local own, theirs = known.t.m, known.p.m
      record.current = {t = own and match(own, '^%d+') == record.epoch,
        p = theirs and match(theirs, '^%d+') == record.provider_epoch}
    end
    return record.current
  end

  local alerts = {}

  -- `given_back` leaves what is held, `used` is added to what is used. A window that is over keeps its numbers.
  local function move(record, given_back, used)
    local current, starts = current_places(record), record.starts
    for place, field, kind, meter in string.gmatch(match(record.entries, '^(.-)|'), '(%S+) (%S+) (%S+) (%S+)') do
      local packed = current[place] and known[place][field]
      if packed then
        local start, spent, held, alerted, limit = match(packed, COUNTER)
        if start == (kind == 'n' and '0' or starts[place .. kind]) then
          meter = tonumber(meter)
          if given_back then
            held = held - given_back[meter]
          end
          if kind ~= 'n' then
            spent = spent + used[meter]
            local most = tonumber(limit)
            local level = spent >= most and 100 or spent * 5 >= most * 4 and 80 or 0
            if level > tonumber(alerted) then
              alerted = level
              alerts[#alerts + 1] = {place, field, start, level}
            end
          end
          change(place, field, concat({start, spent, held, alerted, limit}, ' '))
        end
      end
    end
  end

  -- Tells the breakers how it went; the names of those that opened or closed by it.
  local function report(record, outcome_of)
    local position, events, current = 0, {}, current_places(record)
    for place, field in string.gmatch(match(record.entries, '|(.*)$'), '(%S+) (%S+)') do
      position = position + 1
      local generation = record.generations[position]
      local outcome, busy = outcome_of(field)
      local packed = current[place] and known[place][field]
      local healthy = packed and generation == 0 and outcome == 'success' and busy == 0 and counted_healthy(packed)
      if healthy then
        change(place, field, healthy)
      elseif generation >= 0 and current[place] then
        local breaker = breaker_of(packed)
        local opens = breaker[1]
        tell(breaker, generation, outcome, record.expires)
        if busy > 0 and place == 'p' then
          breaker[3] = max(breaker[3], now + busy)
        end
        if breaker[1] ~= opens then
          events[#events + 1] = field
          events[#events + 1] = breaker[1] > 0 and 'opened' or 'closed'
        end
        change(place, field, concat(breaker, ' '))
      end
    end
    return events
  end

  -- Ends the holds of this provider that are over and that nobody settled: charged in full, and a failure to the breaker.
  -- How many these were.
  local function sweep(name, open_field)
    local ids = call('ZRANGEBYSCORE', index, '-inf', now, 'LIMIT', 0, SWEPT_AT_ONCE)
    local records, wanted, seen, ended = {}, {t = {'m', open_field}, p = {'m'}}, {}, 0
    if #ids > 0 then
      local fields = {}
      for position, id in ipairs(ids) do
        fields[position] = 'h:' .. id
      end
      for position, packed in ipairs(call('HMGET', tenant, unpack(fields))) do
        if packed and sub(packed, 1, 1) == 'o' then
          local record = read_record(packed)
          records[fields[position]] = record
          for place, field in string.gmatch(record.entries, '([tp]) (%S+)') do
            if not seen[place .. field] then
              seen[place .. field] = true
              wanted[place][#wanted[place] + 1] = field
            end
          end
        end
      end
      call('ZREM', index, unpack(ids))
    end
    begin(wanted.t, wanted.p)
    for field, record in pairs(records) do
      move(record, record.granted, record.granted)
      report(record, function() return 'failure', 0 end)
      record.state, record.used = 'x', record.granted
      change('t', field, packed_record(record))
      ended = ended + 1
    end
    local first = call('ZRANGE', index, 0, 0, 'WITHSCORES')
    local open_holds = tonumber(match(known.t[open_field] or '0', '^%d+')) - ended
    change('t', open_field, open_holds .. ' ' .. (first[2] or '0'))
    commit()
    return ended
  end

  -- ARGV from 2: id now provider throttled; how many meters, budgets and breakers; of each meter what was used, of each
  -- budget place field, of each breaker place field outcome. A hold ends once: who comes again, or after the hold was
  -- charged for being late, hears so. What was used beyond the hold is charged all the same and told as overdraft.
  local function settle()
    local id, throttled = ARGV[2], tonumber(ARGV[5])
    local meters, budgets, breakers = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
    local open_field, record_field = 'o:' .. ARGV[4], 'h:' .. id
    local own, theirs, outcomes = {'m', open_field, record_field}, {'m'}, {}
    for at = 9 + meters, 8 + meters + 2 * budgets, 2 do
      local list = ARGV[at] == 't' and own or theirs
      list[#list + 1] = ARGV[at + 1]
    end
    for at = 9 + meters + 2 * budgets, 8 + meters + 2 * budgets + 3 * breakers, 3 do
      local list = ARGV[at] == 't' and own or theirs
      list[#list + 1] = ARGV[at + 1]
      outcomes[ARGV[at + 1]] = ARGV[at + 2]
    end
    begin(own, theirs)
    if not known.t.m or not known.t[record_field] then
      return {'unknown', 0, 0, 0}
    end
    local record = read_record(known.t[record_field])
    if record.state == 's' then
      return {'already', 0, 0, 0}
    end
    local head, last, tail = match(known.t.m, '^(%d+ %d+ %d+ )(%d+)(.*)$')
    local their_head, their_last, their_tail = match(known.p.m or '', '^(%d+ %d+ %d+ )(%d+)(.*)$')
    now = max(tonumber(ARGV[3]), tonumber(last), tonumber(their_last or 0))
    local was_open, overdraft, used, events = record.state == 'o', 0, {}, {}
    for meter = 1, meters do
      used[meter] = tonumber(ARGV[8 + meter])
      overdraft = overdraft + max(0, used[meter] - record.granted[meter])
    end
    if was_open then
      move(record, record.granted, used)
      events = report(record, function(field) return outcomes[field] or 'neutral', throttled end)
      local open_holds, due = match(known.t[open_field] or '1 0', '(%d+) (%d+)')
      change('t', open_field, max(0, open_holds - 1) .. ' ' .. due)
    else
      -- It was charged in full when it expired: corrected, once, to what it was.
      local difference = {}
      for meter = 1, meters do
        difference[meter] = used[meter] - record.granted[meter]
      end
      move(record, nil, difference)
    end
    record.state, record.used = 's', used
    change('t', record_field, packed_record(record))
    local moment = concat({now})
    change('t', 'm', head .. moment .. tail)
    if their_last then
      change('p', 'm', their_head .. moment .. their_tail)
    end
    commit()
    if was_open then
      call('ZREM', index, id)
    end
    local answer = {was_open and 'settled' or 'late', overdraft, #alerts, #events / 2}
    for _, alert in ipairs(alerts) do
      for _, part in ipairs(alert) do
        answer[#answer + 1] = part
      end
    end
    for _, event in ipairs(events) do
      answer[#answer + 1] = event
    end
    return answer
  end

  -- ARGV from 2: now provider.
  local function sweep_alone()
    local meta = call('HGET', tenant, 'm')
    if not meta then
      return {'unknown', 0}
    end
    now = max(tonumber(ARGV[2]), numbers(meta, META)[4])
    return {'swept', sweep(ARGV[3], 'o:' .. ARGV[3])}
  end

  return {settle = settle, sweep = sweep_alone, sweep_first = sweep, read_record = read_record}
end

-- Admission ----------------------------------------------------------------------------------------------------------

-- Why a side admits nothing now: 'stale' for facts from before it was seeded, else the token for whoever seeds it.
-- What is read of a hash stays text as long as it can: writing out a number is what costs most here.
local function fence(key, meta, token, epoch, least_seq, version, id)
  if meta and not token then
    local stored, seq = tonumber(meta[1]), tonumber(meta[2])
    if stored > epoch or (stored == epoch and seq >= least_seq and tonumber(meta[3]) > version) then
      return 'stale'
    elseif stored == epoch and seq >= least_seq then
      return nil
    end
  end
  if not token then
    call('HSET', key, 'i', id)
  end
  return token or id
end

-- The stored window stays until it ends, whatever a caller thinks: a change of time zone begins with the next one, and
-- no two windows overlap. False when the caller's own window, which begins at ARGV[given], is over.
local function roll(meta, at, given)
  local ends = tonumber(meta[at + 1])
  if now < ends then
    return true
  elseif tonumber(ARGV[given + 1]) <= now then
    return false
  end
  meta[at], meta[at + 1] = tonumber(ARGV[given]) >= ends and ARGV[given] or meta[at + 1], ARGV[given + 1]
  return true
end

local function is_stopped(stopped, consumes)
  if not stopped or stopped == '' then
    return false
  end
  for resource in string.gmatch(consumes, '%S+') do
    if string.find(' ' .. stopped .. ' ', ' ' .. resource .. ' ', 1, true) then
      return true
    end
  end
  return false
end

-- ARGV from 2: id now expires provider about; of the tenant and then of the provider: epoch, least seq, version, day
-- start, day end, month start, month end; consumes; entries; how many meters, rates, budgets and breakers; of each meter
-- least and wanted, of each rate field increment burst, of each budget place field kind limit meter, of each breaker
-- place field.
local function admit()
  local A, id, expires = ARGV, ARGV[2], tonumber(ARGV[4])
  local meters, rates, budgets, breakers = tonumber(A[23]), tonumber(A[24]), tonumber(A[25]), tonumber(A[26])
  local first_rate = 27 + 2 * meters
  local first_budget = first_rate + 3 * rates
  local first_breaker = first_budget + 5 * budgets
  local last_budget, last = first_breaker - 1, first_breaker + 2 * breakers - 1
  local open_field, record_field = 'o:' .. A[5], 'h:' .. id

  local own, theirs, slots, size, their_size = {'m', 'i', 'stopped', open_field, record_field}, {'m', 'i', 'stopped'}, {}, 5, 3
  for at = first_rate, first_budget - 1, 3 do
    size = size + 1
    own[size] = A[at]
  end
  for at = first_budget, last_budget, 5 do
    if A[at] == 't' then
      size = size + 1
      own[size], slots[#slots + 1] = A[at + 1], size
    else
      their_size = their_size + 1
      theirs[their_size], slots[#slots + 1] = A[at + 1], their_size
    end
  end
  for at = first_breaker, last, 2 do
    local list = A[at] == 't' and own or theirs
    slots[#slots + 1] = #list + 1
    list[#list + 1], list[#list + 2] = A[at + 1], A[at + 1] .. ':mode'
  end
  local value = call('HMGET', tenant, unpack(own))
  local their_value = provider and call('HMGET', provider, unpack(theirs))

  local meta = value[1] and {match(value[1], META)}
  local their_meta = provider and their_value[1] and {match(their_value[1], META)}
  local refusal = fence(tenant, meta, value[2], tonumber(A[7]), tonumber(A[8]), tonumber(A[9]), id)
  local their_refusal = provider
    and fence(provider, their_meta, their_value[2], tonumber(A[14]), 0, tonumber(A[16]), id)
  if refusal or their_refusal then
    local token = refusal and refusal ~= 'stale' and refusal or ''
    local their_token = their_refusal and their_refusal ~= 'stale' and their_refusal or ''
    return token .. their_token == '' and {'stale'} or {'init', token, their_token}
  end

  now = max(tonumber(A[3]), tonumber(meta[4]), their_meta and tonumber(their_meta[4]) or 0)
  local open_holds, due = match(value[4] or '0 0', '(%d+) (%d+)')
  if open_holds ~= '0' and now >= tonumber(due) then
    ending().sweep_first(A[5], open_field)
    value = call('HMGET', tenant, unpack(own))
    their_value = provider and call('HMGET', provider, unpack(theirs))
    open_holds, due = match(value[4], '(%d+) (%d+)')
  end

  if expires <= now then
    return {'denied', 'late', '', 0, 0}
  elseif value[5] then
    local record = ending().read_record(value[5])
    return {'admitted', tonumber(record.epoch), tonumber(record.seq), meters, unpack(record.granted)}
  elseif not (roll(meta, 5, 10) and roll(meta, 7, 12)) or provider and not (roll(their_meta, 5, 17) and roll(their_meta, 7, 19)) then
    return {'stale'}
  elseif is_stopped(value[3], A[21]) or provider and is_stopped(their_value[3], A[21]) then
    return {'denied', 'stopped', '', 0, 0}
  end

  local writes, their_writes, left, here, written = {}, {}, {}, now * 1000, 0
  local longest, slowest, place = 0, 0, 5
  for at = first_rate, first_budget - 1, 3 do
    local increment, burst, ahead = tonumber(A[at + 1]), tonumber(A[at + 2]), 0
    place = place + 1
    if value[place] then
      ahead = max(value[place] - here, 0)
    end
    ahead = ahead + increment
    if ahead - burst > longest then
      longest, slowest = ahead - burst, place - 5
    end
    writes[written + 1], writes[written + 2] = A[at], format('%.0f', here + ahead)
    written = written + 2
    left[#left + 1] = floor((burst - ahead) / increment)
  end
  if slowest > 0 then
    return {'denied', 'rate', 'rate', slowest, math.ceil(longest / 1000)}
  end

  -- A probe's lease is taken here and written only if all the rest says yes.
  local generations = {}
  for at = first_breaker, last, 2 do
    local is_own, position = A[at] == 't', #generations + 1
    local values, slot, generation = is_own and value or their_value, slots[budgets + position], 0
    -- Closed and not busy, as nearly all are, it is told by its first three numbers.
    if values[slot + 1] or values[slot] and sub(values[slot], 1, 6) ~= '0 0 0 ' then
      local breaker, reason = breaker_of(values[slot]), nil
      reason, generation = ask(breaker, values[slot + 1])
      if reason then
        return {'denied', reason, 'breaker', position, generation}
      elseif generation > 0 and values[slot + 1] ~= 'shadow' then
        breaker[13] = expires
        local list = is_own and writes or their_writes
        list[#list + 1], list[#list + 2] = A[at + 1], concat(breaker, ' ')
      end
    end
    generations[position] = generation
  end

  local granted, counters, of_meter = {}, {}, {}
  for meter = 1, meters do
    granted[meter] = tonumber(A[26 + 2 * meter])
  end
  place = 0
  for at = first_budget, last_budget, 5 do
    place = place + 1
    local kind, limit, meter = A[at + 2], tonumber(A[at + 3]), tonumber(A[at + 4])
    local is_own, least = A[at] == 't', tonumber(A[25 + 2 * meter])
    local side, packed = is_own and meta or their_meta, (is_own and value or their_value)[slots[place]]
    local start, stored, used, held, alerted = kind == 'd' and side[5] or kind == 'm' and side[7] or '0', nil, '0', '0', '0'
    if packed then
      stored, used, held, alerted = match(packed, COUNTER)
      if stored ~= start then
        used, held, alerted = '0', '0', '0'
      end
    end
    local free = limit - used - held
    if free < least then
      if kind == 'n' then
        return {'denied', 'concurrency', 'budget', place, PROBE_RETRY}
      elseif least > limit then
        return {'denied', 'too_large', 'budget', place, 0}
      elseif limit - used < least then
        return {'denied', 'budget_spent', 'budget', place, side[kind == 'd' and 6 or 8] - now}
      end
      return {'denied', 'budget_held', 'budget', place, HELD_RETRY}
    elseif free < granted[meter] then
      granted[meter] = free
    end
    counters[place], of_meter[place] = {start, used, held, alerted, free}, meter
  end

  local answer, amounts, moment = {'admitted', tonumber(meta[1]), meta[2] + 1, meters}, '', concat({now})
  for meter = 1, meters do
    amounts, answer[4 + meter] = amounts .. granted[meter] .. ' 0 ', granted[meter]
  end
  for position = 1, rates do
    answer[4 + meters + position] = left[position]
  end
  place, size, their_size = 0, #writes, #their_writes
  for at = first_budget, last_budget, 5 do
    place = place + 1
    local counter, amount = counters[place], granted[of_meter[place]]
    answer[4 + meters + rates + place] = counter[5] - amount
    counter[3], counter[5] = counter[3] + amount, A[at + 3]
    if A[at] == 't' then
      writes[size + 1], writes[size + 2], size = A[at + 1], concat(counter, ' '), size + 2
    else
      their_writes[their_size + 1], their_writes[their_size + 2] = A[at + 1], concat(counter, ' ')
      their_size = their_size + 2
    end
  end
  meta[2], meta[3], meta[4] = answer[3], A[9], moment
  local record = concat({'o', A[4], meta[1], meta[2], moment, A[6], meta[5], meta[7], provider and their_meta[5] or 0,
    provider and their_meta[7] or 0, provider and their_meta[1] or 0, 'meters', amounts .. 'breakers',
    concat(generations, ' '), 'entries', A[22]}, ' ')
  due = open_holds ~= '0' and tonumber(due) < expires and due or A[4]
  call('HSET', tenant, 'm', concat(meta, ' '), open_field, (open_holds + 1) .. ' ' .. due, record_field, record,
    unpack(writes))
  if provider then
    their_meta[3], their_meta[4] = A[16], moment
    call('HSET', provider, 'm', concat(their_meta, ' '), unpack(their_writes))
  end
  call('ZADD', index, A[4], id)
  return answer
end

-- Upkeep ---------------------------------------------------------------------------------------------------------

local function upkeep()
  -- Begin an epoch with what the ledger says was used. A hash that has this epoch, or a later one, stays as it is.
  -- ARGV from 2: epoch version stopped, day start, day end, month start, month end; how many, and of each budget field kind
  -- used.
  local function seed()
    local epoch, meta = tonumber(ARGV[2]), call('HGET', tenant, 'm')
    if meta and numbers(meta, META)[1] >= epoch then
      return {'kept', numbers(meta, META)[1]}
    end
    call('DEL', tenant)
    call('HSET', tenant, 'm', concat({epoch, 0, ARGV[3], 0, ARGV[5], ARGV[6], ARGV[7], ARGV[8]}, ' '), 'stopped', ARGV[4])
    for at = 10, 7 + 3 * ARGV[9], 3 do
      local start = ARGV[at + 1] == 'd' and ARGV[5] or ARGV[7]
      call('HSET', tenant, ARGV[at], concat({start, ARGV[at + 2], 0, 0, 0}, ' '))
    end
    return {'seeded', epoch}
  end

  -- Drop records that are in the ledger. From then on their time has passed here, so that a copy of an old request,
  -- however long it was on the way, finds no place to be admitted again. ARGV from 2: now, and the ids.
  local function forget()
    local packed_meta, fields, gone, last = call('HGET', tenant, 'm'), {}, {}, 0
    if not packed_meta or #ARGV < 3 then
      return {'forgotten', 0}
    end
    for at = 3, #ARGV do
      fields[at - 2] = 'h:' .. ARGV[at]
    end
    for position, packed in ipairs(call('HMGET', tenant, unpack(fields))) do
      local state, expires = match(packed or '', '^(%a) (%d+)')
      if state and state ~= 'o' and tonumber(expires) <= tonumber(ARGV[2]) then
        gone[#gone + 1] = fields[position]
        last = max(last, tonumber(expires))
      end
    end
    if #gone > 0 then
      local meta = numbers(packed_meta, META)
      meta[4] = max(meta[4], last)
      call('HSET', tenant, 'm', concat(meta, ' '))
      call('HDEL', tenant, unpack(gone))
    end
    return {'forgotten', #gone}
  end

  -- A counter that is below what the ledger has for the same window is lifted to it, and never lowered. ARGV from 2, of
  -- each budget: field start used.
  local function raise()
    local lifted = 0
    for at = 2, #ARGV, 3 do
      local counter = numbers(call('HGET', tenant, ARGV[at]) or (ARGV[at + 1] .. ' 0 0 0 0'), COUNTER)
      if counter[1] == tonumber(ARGV[at + 1]) and counter[2] < tonumber(ARGV[at + 2]) then
        counter[2], lifted = tonumber(ARGV[at + 2]), lifted + 1
        call('HSET', tenant, ARGV[at], concat(counter, ' '))
      end
    end
    return {'raised', lifted}
  end

  return {seed = seed, forget = forget, raise = raise}
end

local operation = ARGV[1]
if operation == 'admit' then
  return admit()
end
return (ending()[operation] or upkeep()[operation])()
