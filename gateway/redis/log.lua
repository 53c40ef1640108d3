-- The log of tracegate in Redis: each verb is one atomic step. EVALSHA <sha> 1 <prefix>log <verb> <arguments>; the other keys
-- are derived from KEYS[1] by taking "log" off its end, so a prefix lives on one Redis, not spread over a cluster.
--
--   <prefix>log            stream: every event; fields c (channel), p (payload), b (the id before it)
--   <prefix>session:<id>   stream: the events of one session under the same ids; fields c, p
--   <prefix>snap:<id>      stream: states of the session, each under the id of the last event in it, written by those who fold; fields
--                          v (version of the rules), e (epoch), n (events that were lost before the first), x (sum), s (state, JSON)
--   <prefix>epoch          "<16 hex digits> <base id>", made together with the log: an epoch without a log is void
--   <prefix>recorder       the lease: the token of the node that records, with an expiry
--   <prefix>live           channel: what the log took, fences and questions
--
--   open <fresh> <known epoch> <known last id>
--   claim <token> <lease ms> <0|1: by force> [<hash>]       hash: other nodes are asked first, see gateway/feed/stamps.h; may be empty
--   renew <token> <lease ms> <log events> <log age ms>
--   release <token>
--   record <token> <epoch> <log events> <session events> <session idle ms>  then per event  <channel> <payload> <session> <hash>
--   publish <channel> <payload> [<session> [<hash> [<session events> [<session idle ms>]]]]     for publishers: gives the id
--   inspect <session, or empty: the log>
--   list <cursor> <keys to scan>
--   keep <session> <snapshots> <id> <v> <e> <n> <x> <s>
--
-- Bounds of 0 mean none. Redis refuses a script for want of memory, disk or replicas at its first write only, so that nothing is
-- half done; what else can be refused (rights, types, an exhausted log) is looked at before, or ends the loop after what was
-- stored is stamped. A session stream that is no stream, or that holds a newer id, never disturbs the log.

local call, pcall = redis.call, redis.pcall
local log = KEYS[1]
local prefix = string.sub(log, 1, -4)
local lease_key, epoch_key, live = prefix .. 'recorder', prefix .. 'epoch', prefix .. 'live'
local verb = ARGV[1]
local SESSION_BYTES_MAX = 512 -- a longer session has no stream of its own

-- XINFO STREAM as a table; nil: there is none. It copies the first and the last entry, so it is for what happens seldom.
local function facts(key)
	if call('EXISTS', key) == 0 then
		return nil
	end
	local flat, named = call('XINFO', 'STREAM', key), {}
	for i = 1, #flat, 2 do
		named[flat[i]] = flat[i + 1]
	end
	return named
end

-- The id of the newest entry that is there, or the last one given where all are gone; nil: there is no log.
local function newest()
	local top = call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
	if top then
		return top[1]
	end
	local named = facts(log)
	return named and named['last-generated-id']
end

-- An error where the caller may not say on a channel what the log took: known from Redis 7.0 on.
local function denied(channel)
	if redis.acl_check_cmd and not redis.acl_check_cmd('PUBLISH', channel, '') then
		return redis.error_reply('NOPERM no right to PUBLISH on ' .. channel)
	end
end

-- Adds to a session's stream; gives 1 where that was refused. The first one of a session in a call trims and renews its expiry.
local function add_to_session(session, id, channel, payload, events_max, idle_ms, keys)
	if session == '' or #session > SESSION_BYTES_MAX then
		return 0
	end
	local key, reply = keys[session]
	if key then
		reply = pcall('XADD', key, id, 'c', channel, 'p', payload)
	else
		key = prefix .. 'session:' .. session
		if events_max == '0' then
			reply = pcall('XADD', key, id, 'c', channel, 'p', payload)
		else
			reply = pcall('XADD', key, 'MAXLEN', '~', events_max, id, 'c', channel, 'p', payload)
		end
		if type(reply) ~= 'table' then
			keys[session] = key
			if idle_ms ~= '0' then
				pcall('PEXPIRE', key, idle_ms)
			end
		end
	end
	return type(reply) == 'table' and 1 or 0
end

if verb == 'record' then
	local held = call('MGET', lease_key, epoch_key)
	if held[1] ~= ARGV[2] then
		return {'LEASE'}
	end
	local before = held[2] and string.sub(held[2], 1, 17) == ARGV[3] .. ' ' and newest()
	if not before then
		return {'EPOCH'}
	end
	local refusal = denied(live)
	if refusal then
		return refusal
	end
	local events_max, session_max, session_idle = ARGV[4], ARGV[5], ARGV[6]
	local stamp, at = {'S ', ARGV[3], ' ', before, '\n'}, 5
	local stored, skipped, keys = 0, 0, {}
	for i = 7, #ARGV, 4 do
		local channel, payload = ARGV[i], ARGV[i + 1]
		local id = pcall('XADD', log, '*', 'c', channel, 'p', payload, 'b', before)
		if type(id) == 'table' then
			refusal = id
			break
		end
		skipped = skipped + add_to_session(ARGV[i + 2], id, channel, payload, session_max, session_idle, keys)
		stamp[at + 1], stamp[at + 2], stamp[at + 3] = ARGV[i + 3], id, '\n'
		at, before, stored = at + 3, id, stored + 1
	end
	if stored > 0 then
		if stored >= 10 and events_max ~= '0' then -- few at a time come slowly: renewing trims often enough
			pcall('XTRIM', log, 'MAXLEN', '~', events_max)
		end
		call('PUBLISH', live, table.concat(stamp))
	end
	return refusal or {'OK', stored, skipped}
end

-- Numbers of Lua are doubles: parts of ids are compared as texts without leading zeros.
local function is_less(a, b)
	if #a ~= #b then
		return #a < #b
	end
	return a < b
end

local function is_before(a, b)
	local a_ms, a_seq = string.match(a, '^(%d+)-(%d+)$')
	local b_ms, b_seq = string.match(b, '^(%d+)-(%d+)$')
	if a_ms ~= b_ms then
		return is_less(a_ms, b_ms)
	end
	return is_less(a_seq, b_seq)
end

local function read_epoch()
	local text = call('GET', epoch_key)
	local epoch, base = string.match(text or '', '^(%x+) (%d+%-%d+)$')
	if epoch and #epoch == 16 then
		return epoch, base
	end
end

-- A new epoch from where the log stands. The log is made with it, so that one that vanishes is noticed.
local function make_epoch(named, fresh)
	local base = named and named['last-generated-id'] or '0-0'
	if not named then
		call('XGROUP', 'CREATE', log, 'tracegate', '0', 'MKSTREAM')
		call('XGROUP', 'DESTROY', log, 'tracegate')
	end
	local now = call('TIME')
	local epoch = string.sub(redis.sha1hex(now[1] .. '.' .. now[2] .. fresh), 1, 16)
	call('SET', epoch_key, epoch .. ' ' .. base)
	return epoch, base
end

if verb == 'renew' then
	if call('GET', lease_key) ~= ARGV[2] then
		return {'LEASE'}
	end
	call('PEXPIRE', lease_key, ARGV[3])
	if ARGV[4] ~= '0' then
		pcall('XTRIM', log, 'MAXLEN', '~', ARGV[4])
	end
	if ARGV[5] ~= '0' then
		local now = call('TIME')
		local oldest_ms = now[1] * 1000 + math.floor(now[2] / 1000) - ARGV[5]
		if oldest_ms > 0 then
			pcall('XTRIM', log, 'MINID', '~', string.format('%.0f', oldest_ms))
		end
	end
	return {'OK'}
end

if verb == 'claim' then
	local epoch = read_epoch()
	local last = epoch and newest()
	if not last then
		return {'EPOCH'}
	end
	local refusal = denied(live)
	if refusal then
		return refusal
	end
	if ARGV[4] ~= '1' and call('EXISTS', lease_key) == 1 then
		return {'LEASE'}
	end
	-- A node that listens alone is the only one to hear its question.
	if ARGV[5] and call('PUBLISH', live, 'Q ' .. epoch .. ' ' .. last .. ' ' .. ARGV[2] .. '\n' .. ARGV[5]) > 1 then
		return {'ASKED'}
	end
	call('SET', lease_key, ARGV[2], 'PX', ARGV[3])
	call('PUBLISH', live, 'F ' .. epoch .. ' ' .. last .. ' ' .. ARGV[2] .. '\n')
	return {'OK'}
end

if verb == 'release' then
	if call('GET', lease_key) ~= ARGV[2] then
		return {'LEASE'}
	end
	call('DEL', lease_key)
	return {'OK'}
end

if verb == 'open' then
	local named = facts(log)
	local epoch, base = read_epoch()
	local is_shorter = named and epoch == ARGV[3] and is_before(named['last-generated-id'], ARGV[4])
	if not epoch or not named or is_shorter then
		epoch, base = make_epoch(named, ARGV[2])
	end
	return {'OK', epoch, base, named and named['last-generated-id'] or '0-0'}
end

-- The session that a payload names, as a gateway with its default fields reads it: the first of these fields of a JSON object that is
-- a number or a string that is not empty, else the channel's part after the first colon.
local function session_of(channel, payload)
	local is_json, object = false, nil
	if string.find(payload, '^%s*{') then
		is_json, object = _G.pcall(cjson.decode, payload)
	end
	for _, name in ipairs(is_json and {'sessionId', 'session_id', 'session'} or {}) do
		local value = object[name]
		if type(value) == 'string' and value ~= '' then
			return value
		end
		if type(value) == 'number' then -- its digits, as they stand in the payload
			for digits in string.gmatch(payload, '"' .. name .. '"%s*:%s*(%-?%d[%d.eE+-]*)') do
				if tonumber(digits) == value then
					return digits
				end
			end
		end
	end
	return string.match(channel, ':(.*)$') or ''
end

if verb == 'publish' then
	local channel, payload = ARGV[2], ARGV[3]
	if not payload then
		return redis.error_reply('ERR publish needs a channel and a payload')
	end
	if string.sub(channel, 1, #prefix) == prefix and prefix ~= '' then
		return redis.error_reply('ERR channels that begin with ' .. prefix .. ' are the gateway\'s own')
	end
	local refusal = denied(channel) or denied(live)
	if refusal then
		return refusal
	end
	local session = ARGV[4] or session_of(channel, payload)
	local hash = ARGV[5] or ''
	local epoch, before = read_epoch(), newest()
	if not epoch or not before then
		local named = facts(log)
		epoch, before = make_epoch(named, payload)
	end
	-- Nobody trims the log while no node records.
	local id
	if call('EXISTS', lease_key) == 1 then
		id = call('XADD', log, '*', 'c', channel, 'p', payload, 'b', before)
	else
		id = call('XADD', log, 'MAXLEN', '~', 1000000, '*', 'c', channel, 'p', payload, 'b', before)
	end
	add_to_session(session, id, channel, payload, ARGV[6] or '200000', ARGV[7] or '86400000', {})
	-- Said before the event: it reaches a node's recorder before its stamp may, and must not be recorded again.
	call('PUBLISH', live, 'H\n')
	call('PUBLISH', channel, payload)
	if #hash == 16 then
		call('PUBLISH', live, table.concat({'S ', epoch, ' ', before, '\n', hash, id, '\n'}))
	else
		call('PUBLISH', live, table.concat({'P ', epoch, ' ', before, ' ', id, ' ', #channel, '\n', channel, payload}))
	end
	return id
end

local function first_id(named)
	return named['first-entry'] and named['first-entry'][1] or '0-0'
end

-- Snapshots go with their session's stream, which lives longer with each event.
local function live_as_long(key, stream)
	local left_ms = pcall('PTTL', stream)
	if type(left_ms) == 'number' and left_ms > 0 then
		pcall('PEXPIRE', key, left_ms)
	end
end

-- Before 7.0 Redis does not say what a stream held once: nothing is known to be missing then.
if verb == 'inspect' then
	local log_facts = facts(log)
	local named = log_facts
	if ARGV[2] ~= '' then
		named = facts(prefix .. 'session:' .. ARGV[2])
		live_as_long(prefix .. 'snap:' .. ARGV[2], prefix .. 'session:' .. ARGV[2])
	end
	local epoch, base = read_epoch()
	local reply = {'OK', epoch or '', base or '', log_facts and log_facts['last-generated-id'] or '0-0'}
	if named then
		for _, value in ipairs({named.length, named['entries-added'] or named.length, first_id(named),
		                        named['last-generated-id'], named['max-deleted-entry-id'] or '0-0'}) do
			reply[#reply + 1] = value
		end
	end
	return reply
end

if verb == 'list' then
	local sessions = prefix .. 'session:'
	local pattern = string.gsub(sessions, '[%*%?%[%]%^\\]', '\\%0') .. '*'
	local page = call('SCAN', ARGV[2], 'MATCH', pattern, 'COUNT', ARGV[3], 'TYPE', 'stream')
	local reply = {'OK', page[1]}
	for _, key in ipairs(page[2]) do
		local named = facts(key)
		if named then
			local last = named['last-entry'] and named['last-entry'][1] or named['last-generated-id']
			for _, value in ipairs({string.sub(key, #sessions + 1), named.length, first_id(named), last}) do
				reply[#reply + 1] = value
			end
		end
	end
	return reply
end

-- Later ones are not followed by earlier ones: what is refused for that was of no use.
if verb == 'keep' then
	local stream, key = prefix .. 'session:' .. ARGV[2], prefix .. 'snap:' .. ARGV[2]
	local left_ms = pcall('PTTL', stream)
	if type(left_ms) ~= 'number' or left_ms == -2 then -- what would stay for ever is not kept
		return {'OK', 0}
	end
	local id = pcall('XADD', key, 'MAXLEN', '~', ARGV[3], ARGV[4], 'v', ARGV[5], 'e', ARGV[6], 'n', ARGV[7], 'x', ARGV[8],
		's', ARGV[9])
	if type(id) == 'table' then
		return {'OK', 0}
	end
	live_as_long(key, stream)
	return {'OK', 1}
end

return redis.error_reply('ERR the log has no verb ' .. tostring(verb))
