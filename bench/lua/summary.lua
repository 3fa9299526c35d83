-- Have wrk say what it counted in one line that is easy to read.

function done(summary, latency, requests)
   local errors = summary.errors
   print(string.format(
      "counted requests=%d microseconds=%d refused=%d broken=%d",
      summary.requests, summary.duration, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout
   ))
end
