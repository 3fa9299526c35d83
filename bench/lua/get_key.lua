-- GET a key of one cluster after the other.
--
-- Arguments: the file with the PINs.

dofile("summary.lua")

local requests = {}
local turn = 0

function init(arguments)
   for pin in io.lines(arguments[1]) do
      local path = "/api/v1/clusters/" .. pin .. "/keys/master_ip"
      requests[#requests + 1] = wrk.format("GET", path)
   end
end

function request()
   turn = turn % #requests + 1
   return requests[turn]
end
