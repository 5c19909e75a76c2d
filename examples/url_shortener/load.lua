-- Ask for /n0/, /n1/, … in turn, and tell what wrk has measured as JSON.
local links, number = tonumber(os.getenv("LINKS")), 0

request = function()
  number = (number + 1) % links
  return wrk.format("GET", "/n" .. number .. "/")
end

done = function(summary, latency)
  local errors = summary.errors
  print(string.format('{"rate": %.1f, "p50_ms": %.3f, "p99_ms": %.3f, "errors": %d}',
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
