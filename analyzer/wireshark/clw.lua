-- Wireshark dissector for the CLW auth protocol: binary messages over WebSocket.
--
-- Install: clw-analyze --generate wireshark-lua > ~/.local/lib/wireshark/plugins/clw.lua
--          (Help > About > Folders names the folder; Analyze > Reload Lua Plugins loads it)
-- Filter:  clw.auth                     every message
--          clw.opcode == 0xa03          DISCONNECT_AUTH
--          clw.auth.reason == "overload"
--          clw.auth.datagram            heartbeats over UDP
--
-- A token is never shown: only that there is one, and how long it is.

local clw = Proto("clw", "CLW auth protocol")

local HEADER_BYTES = 8
local MAX_JSON_BYTES = 65536
local DATAGRAM_BYTES = 24

local opcodes = {
  [0xA00] = "AUTH_HELLO",
  [0xA01] = "AUTH_OK",
  [0xA02] = "AUTH_LOGOUT",
  [0xA03] = "DISCONNECT_AUTH",
  [0xA04] = "AUTH_PING",
  [0xA05] = "AUTH_PONG",
  [0xA06] = "REFRESH_NEEDED",
  [0xA07] = "AUTH_REFRESH",
  [0xA08] = "REFRESH_OK",
  [0xA09] = "AUTH_ERROR",
}

local f = {
  auth = ProtoField.none("clw.auth", "Auth message"),
  opcode = ProtoField.uint16("clw.opcode", "Opcode", base.HEX, opcodes),
  flags = ProtoField.uint16("clw.flags", "Flags", base.HEX),
  seq = ProtoField.uint32("clw.seq", "Sequence number", base.DEC),
  length = ProtoField.uint32("clw.length", "Payload length", base.DEC),
  datagram = ProtoField.bool("clw.auth.datagram", "Heartbeat over UDP"),
  refused_refresh = ProtoField.bool("clw.auth.refused_refresh", "Answers a refused AUTH_REFRESH (seq 0xFF)"),
  token_length = ProtoField.uint32("clw.auth.token_length", "Token length (the token is not shown)", base.DEC),
  token_id = ProtoField.string("clw.auth.token_id", "Token id"),
  client_version = ProtoField.string("clw.auth.client_version", "Client version"),
  client_id = ProtoField.string("clw.auth.client_id", "Client id"),
  resume = ProtoField.string("clw.auth.resume", "Session to resume"),
  session = ProtoField.string("clw.auth.session", "Session"),
  server_version = ProtoField.string("clw.auth.server_version", "Server version"),
  ttl_s = ProtoField.double("clw.auth.ttl_s", "Token lifetime (s)"),
  heartbeat_ms = ProtoField.double("clw.auth.heartbeat_ms", "Heartbeat period (ms)"),
  grace_ms = ProtoField.double("clw.auth.grace_ms", "Heartbeat grace (ms)"),
  udp_port = ProtoField.double("clw.auth.udp_port", "UDP heartbeat port"),
  reason = ProtoField.string("clw.auth.reason", "Reason"),
  expires_in_ms = ProtoField.double("clw.auth.expires_in_ms", "Token expires in (ms)"),
  code = ProtoField.string("clw.auth.code", "Error code"),
  message = ProtoField.string("clw.auth.message", "Error message"),
}
clw.fields = f

local e = {
  short = ProtoExpert.new("clw.short", "Shorter than the 8 bytes of a header", expert.group.MALFORMED, expert.severity.ERROR),
  opcode = ProtoExpert.new("clw.unknown_opcode", "Unknown opcode", expert.group.UNDECODED, expert.severity.WARN),
  json = ProtoExpert.new("clw.not_json", "The payload is not a JSON object", expert.group.MALFORMED, expert.severity.ERROR),
}
clw.experts = e

clw.prefs.port = Pref.uint("TCP port without a subprotocol", 4433, "Where the upgrade named no clw.auth subprotocol")

-- Which fields of a payload are shown, and as what.
local texts = { "token_id", "client_version", "client_id", "resume", "session", "server_version", "reason", "code", "message" }
local numbers = { "ttl_s", "heartbeat_ms", "grace_ms", "udp_port", "expires_in_ms" }

local escapes = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }

-- The string that begins with the quote at `at`: its text and where it ends; nil if it does not end.
local function json_string(text, at)
  local parts, from = {}, at + 1
  while true do
    local stop = text:find('["\\]', from)
    if not stop then
      return nil
    end
    parts[#parts + 1] = text:sub(from, stop - 1)
    if text:sub(stop, stop) == '"' then
      return table.concat(parts), stop + 1
    end
    local escaped = text:sub(stop + 1, stop + 1)
    if escaped == "u" then
      local code = tonumber(text:sub(stop + 2, stop + 5), 16)
      parts[#parts + 1] = code and code < 128 and string.char(code) or "?"
      from = stop + 6
    else
      parts[#parts + 1] = escapes[escaped] or escaped
      from = stop + 2
    end
  end
end

-- The members of a JSON object whose values are texts or numbers; others are passed over. nil if it is no object.
local function flat_object(text)
  local at = text:match("^%s*{()")
  if not at or not text:match("}%s*$") then
    return nil
  end
  local members, depth = {}, 0
  local key
  while at <= #text do
    local byte = text:sub(at, at)
    if byte == '"' then
      local value, next_at = json_string(text, at)
      if not value then
        return nil
      end
      local colon = text:match("^%s*:()", next_at)
      if depth == 0 and colon and not key then
        key, next_at = value, colon
      elseif depth == 0 and key then
        members[key], key = value, nil
      end
      at = next_at
    elseif byte:find("[%-%d]") then
      local number, next_at = text:match("^(%-?[%d%.eE+-]+)()", at)
      if not number then
        return nil
      end
      if depth == 0 and key then
        members[key], key = tonumber(number), nil
      end
      at = next_at
    else
      if byte == "{" or byte == "[" then
        depth = depth + 1
      elseif byte == "}" or byte == "]" then
        depth = depth - 1
      elseif byte == "," and depth == 0 then
        key = nil
      end
      if depth < 0 then
        return members
      end
      at = at + 1
    end
  end
  return nil
end

local function add_payload(tree, payload)
  local text = payload:raw(0, math.min(payload:len(), MAX_JSON_BYTES))
  local members = flat_object(text)
  if not members then
    tree:add_proto_expert_info(e.json)
    return nil
  end
  if type(members.token) == "string" then
    tree:add(f.token_length, payload, #members.token)
  end
  for _, name in ipairs(texts) do
    if type(members[name]) == "string" then
      tree:add(f[name], payload, members[name])
    end
  end
  for _, name in ipairs(numbers) do
    if type(members[name]) == "number" then
      tree:add(f[name], payload, members[name])
    end
  end
  return members
end

local function add_header(tree, buffer)
  tree:add(f.opcode, buffer(0, 2))
  tree:add(f.flags, buffer(2, 2))
  tree:add(f.seq, buffer(4, 4))
end

function clw.dissector(buffer, pinfo, root)
  pinfo.cols.protocol = "CLW"
  local tree = root:add(clw, buffer())
  tree:add(f.auth, buffer())
  if buffer:len() < HEADER_BYTES then
    tree:add_proto_expert_info(e.short)
    pinfo.cols.info = "CLW message of " .. buffer:len() .. " bytes"
    return buffer:len()
  end
  local number = buffer(0, 2):uint()
  local name = opcodes[number]
  add_header(tree, buffer)
  local payload_bytes = buffer:len() - HEADER_BYTES
  tree:add(f.length, buffer(), payload_bytes):set_generated()
  local seq = buffer(4, 4):uint()
  local info = (name or string.format("opcode 0x%03x", number)) .. " seq=" .. seq
  if not name then
    tree:add_proto_expert_info(e.opcode)
  end
  if number == 0xA09 and seq == 0xFF then
    tree:add(f.refused_refresh, buffer(4, 4), true)
  end
  if payload_bytes > 0 then
    local members = add_payload(tree, buffer(HEADER_BYTES)) or {}
    local word = members.reason or members.code or members.client_id
    if type(word) == "string" then
      info = info .. " " .. word:sub(1, 64)
    end
  end
  pinfo.cols.info = info
  tree:append_text(", " .. info)
  return buffer:len()
end

-- A heartbeat beside the stream: AUTH_PING or AUTH_PONG, and the session's id. Its port is told in AUTH_OK only, so it is
-- known by its length, its opcode and an id that is text.
local function datagram(buffer, pinfo, root)
  if buffer:len() ~= DATAGRAM_BYTES then
    return false
  end
  local number = buffer(0, 2):uint()
  local id = buffer(HEADER_BYTES):raw()
  if (number ~= 0xA04 and number ~= 0xA05) or not id:find("^[%w%-]+$") then
    return false
  end
  pinfo.cols.protocol = "CLW"
  local tree = root:add(clw, buffer())
  tree:add(f.auth, buffer())
  add_header(tree, buffer)
  tree:add(f.datagram, buffer(), true):set_generated()
  tree:add(f.session, buffer(HEADER_BYTES), id)
  local info = opcodes[number] .. " seq=" .. buffer(4, 4):uint() .. " over UDP"
  pinfo.cols.info = info
  tree:append_text(", " .. info)
  return true
end
clw:register_heuristic("udp", datagram)

local by_protocol = DissectorTable.get("ws.protocol")
by_protocol:add("clw.auth.v1", clw)
by_protocol:add("clw.auth.v2", clw)

local by_port = DissectorTable.get("ws.port")
local port = 0
local function follow_preference()
  if port ~= 0 then
    by_port:remove(port, clw)
  end
  port = clw.prefs.port
  if port ~= 0 then
    by_port:add(port, clw)
  end
end
clw.prefs_changed = follow_preference
follow_preference()
