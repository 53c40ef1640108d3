"""The scenarios of encodings, for bench.py: what 1,000 clients cost, and what they get, in each encoding, against plain JSON of the
same run. Columns: (b) is plain JSON, the gateway is the encoding."""
import json
import subprocess

from log_scenarios import at_most

WAIT_S = 120


def measure(bench, encoding, quick):
    port = bench.free_port()
    with bench.start_gateway(port) as server:
        settings = {"pid": server.child.pid, "clients": 100 if quick else 1000, "rate": 1000, "measure-ms": 500 if quick else 5000}
        command = [bench.programs / "encodings", encoding, "--port", port, "--redis-port", bench.redis_port]
        for name, value in settings.items():
            command += ["--" + name, value]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=WAIT_S, preexec_fn=bench.on_load_core)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def compare(encoding):
    def scenario(bench, row, quick):
        """Of two measurements each, in an order that is fair to both, the lower counts."""
        results = {"json": [], encoding: []}
        for name in ("json", encoding, encoding, "json"):
            result = measure(bench, name, quick)
            if result["broken"] or result["behind"]:
                row.trouble.append(f"{name}: {result['broken']} connections broke, {result['behind']} clients lost something")
            results[name].append(result)
        plain, coded = (min(result["cpuMicrosPerEvent"] for result in results[name]) for name in ("json", encoding))
        row.add("batch", plain)
        row.add("gateway", coded)
        row.ratios.append(coded / plain)
        bench.encoding_bytes = getattr(bench, "encoding_bytes", {})
        bench.encoding_bytes[encoding] = [results[name][0]["bytesPerEvent"] for name in ("json", encoding)]
    return scenario


def show_bytes(encoding):
    def scenario(bench, row, quick):
        """What the last comparison of the encoding measured beside the time."""
        found = getattr(bench, "encoding_bytes", {}).get(encoding)
        plain, coded = found or (measure(bench, name, quick)["bytesPerEvent"] for name in ("json", encoding))
        row.add("batch", plain)
        row.add("gateway", coded)
        row.ratios.append(coded / plain)
    return scenario


def rows(encoding, title, cpu, size):
    """Two: CPU and bytes, each with the most that it may be by plain JSON's."""
    return {
        f"cpu_{encoding}": (compare(encoding), f"1,000 clients with {title}, 1,000 events/s in batches of 20: CPU an event", "µs",
                            f"≤ {cpu} × JSON", at_most(cpu)),
        f"bytes_{encoding}": (show_bytes(encoding), f"the same: bytes of an event to each client, {title}", "B", f"≤ {size} × JSON", at_most(size)),
    }


SCENARIOS = {
    **rows("msgpack", "MessagePack", 1.1, 1.0),
    **rows("delta", "deltas", 1.3, 0.5),
    **rows("deflate", "permessage-deflate", 1.3, 0.2),
}
