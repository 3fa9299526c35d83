-- POST to one path: each request creates a cluster.

dofile("summary.lua")

wrk.method = "POST"
