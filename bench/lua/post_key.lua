-- POST a key that is not there yet to one cluster after the other.
--
-- Arguments: the file with the PINs, and what the names of the keys begin with.

dofile("summary.lua")

local paths = {}
local prefix
local turn = 0
local headers = { ["Content-Type"] = "application/json" }

function init(arguments)
   for pin in io.lines(arguments[1]) do
      paths[#paths + 1] = "/api/v1/clusters/" .. pin .. "/keys"
   end
   prefix = arguments[2]
end

function request()
   local path = paths[turn % #paths + 1]
   local name = prefix .. "_" .. math.floor(turn / #paths)
   turn = turn + 1
   local body = '{"key": "' .. name .. '", "value": "10.0.0.1"}'
   return wrk.format("POST", path, headers, body)
end
