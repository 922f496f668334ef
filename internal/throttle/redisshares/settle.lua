-- KEYS[1] are the processes, the others the buckets. ARGV: this process, the seconds that one counts, and of each bucket
-- rate, burst, what is given back and what is needed. Returns the number of processes and what each bucket grants.
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
local out = {tostring(redis.call('ZCARD', KEYS[1]))}
for i = 2, #KEYS do
  local at = 4 * i - 5
  local rate, burst, back, need = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local b = redis.call('HMGET', KEYS[i], 'tokens', 'at', 'slot', 'wanted', 'before')
  local tokens, last = tonumber(b[1]) or burst, tonumber(b[2]) or now
  local slot, wanted, before = tonumber(b[3]) or 0, tonumber(b[4]) or 0, tonumber(b[5]) or 0
  tokens = math.min(burst, tokens + math.max(0, now - last) * rate + back)
  local current = math.floor(now / 0.25)
  if slot == current then
    wanted = wanted + need
  else
    before = slot == current - 1 and wanted or 0
    wanted = need
  end
  local granted = 0
  if need > 0 and tokens > 0 then
    granted = math.min(need, tokens * need / math.max(wanted, before, need))
    tokens = tokens - granted
  end
  redis.call('HSET', KEYS[i], 'tokens', string.format('%.17g', tokens), 'at', string.format('%.17g', math.max(now, last)),
    'slot', string.format('%d', current), 'wanted', string.format('%.17g', wanted), 'before', string.format('%.17g', before))
  redis.call('EXPIRE', KEYS[i], math.ceil(60 + burst / rate))
  out[i] = string.format('%.17g', granted)
end
return out
