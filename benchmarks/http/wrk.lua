-- What wrk says at its end, as one line of JSON for benchmarks/http/load.py.
done = function(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '\n{"requests": %d, "seconds": %.6f, "errors": %d, "p50": %.0f, "p90": %.0f, "p99": %.0f, "max": %.0f}\n',
      summary.requests, summary.duration / 1e6,
      errors.connect + errors.read + errors.write + errors.status + errors.timeout,
      latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max))
end
