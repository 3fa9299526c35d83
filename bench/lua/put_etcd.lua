-- Put a new key into etcd by the gateway of its API v3.
--
-- Arguments: a number for the run, so that no key is put twice.

dofile("summary.lua")

local run
local turn = 0
local headers = { ["Content-Type"] = "application/json" }

function init(arguments)
   run = arguments[1]
end

function request()
   turn = turn + 1
   -- Keys and values are in base64, and so is any number of twelve digits.
   local key = string.format("%04d%08d", run, turn)
   local body = '{"key": "' .. key .. '", "value": "MTAuMC4wLjE="}'
   return wrk.format("POST", "/v3/kv/put", headers, body)
end
