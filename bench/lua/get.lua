-- GET one path after the other.
--
-- Arguments: the file with the paths; "close" for a new connection each.

dofile("summary.lua")

local requests = {}
local turn = 0

function init(arguments)
   local headers
   if arguments[2] == "close" then
      headers = { ["Connection"] = "close" }
   end
   for path in io.lines(arguments[1]) do
      requests[#requests + 1] = wrk.format("GET", path, headers)
   end
end

function request()
   turn = turn % #requests + 1
   return requests[turn]
end
