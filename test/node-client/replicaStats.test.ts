import { replicaStats } from "@ngpu/protocol/replicaStats";
import { expect } from "chai";
import { parseGpuStats } from "../../node-client/stats/gpuStats.ts";
import { statsOf } from "../../node-client/stats/statsOf.ts";

/** As an engine of cgroup 2 answers. */
const reading = {
  read: "2026-11-29T16:00:02.000000000Z",
  preread: "2026-11-29T16:00:01.000000000Z",
  cpu_stats: {
    cpu_usage: { total_usage: 3_500_000_000 },
    throttling_data: { periods: 10, throttled_periods: 2, throttled_time: 1_500_000_000 },
  },
  precpu_stats: { cpu_usage: { total_usage: 3_000_000_000 } },
  memory_stats: { usage: 100 << 20, limit: 256 << 20, stats: { inactive_file: 20 << 20 } },
  pids_stats: { current: 7 },
  blkio_stats: {
    io_service_bytes_recursive: [
      { major: 8, minor: 0, op: "read", value: 4_096 },
      { major: 8, minor: 16, op: "Read", value: 1 },
      { major: 8, minor: 0, op: "write", value: 8_192 },
    ],
  },
  networks: { eth0: { rx_bytes: 10, tx_bytes: 20 }, eth1: { rx_bytes: 1, tx_bytes: 2 } },
} as never;

describe("what a container uses", () => {
  it("is read from the engine's answer", () => {
    const stats = statsOf(reading, { nanoCpus: 1_500_000_000 }, []);
    expect(replicaStats.parse(stats)).to.deep.equal({
      time: "2026-11-29T16:00:02.000Z",
      cpu: { cores: 0.5, limit: 1.5, throttledSeconds: 1.5 },
      memory: { bytes: 80 << 20, limitBytes: 256 << 20 },
      processes: 7,
      disk: { readBytes: 4_097, writtenBytes: 8_192 },
      network: { receivedBytes: 11, sentBytes: 22 },
      gpus: [],
    });
  });

  it("is 0 where the engine says nothing", () => {
    const stats = replicaStats.parse(statsOf({}, { nanoCpus: 0 }, []));
    expect([stats.cpu, stats.memory.bytes, stats.network]).to.deep.equal([
      { cores: 0, limit: null, throttledSeconds: 0 },
      0,
      { receivedBytes: 0, sentBytes: 0 },
    ]);
  });

  it("has the GPUs of the replica alone, and no numbers that the driver does not say", () => {
    const stdout = "GPU-a, 35, 1024, 24576\nGPU-b, [N/A], [Not Supported], 24576\nGPU-c, 1, 2, 3\n";
    const found = parseGpuStats(stdout, ["GPU-a", "GPU-b", "GPU-x"]);
    expect(found).to.deep.equal([
      { id: "GPU-a", percent: 35, memoryBytes: 1_024 * 2 ** 20, memoryLimitBytes: 24_576 * 2 ** 20 },
      { id: "GPU-b", percent: null, memoryBytes: null, memoryLimitBytes: 24_576 * 2 ** 20 },
      { id: "GPU-x", percent: null, memoryBytes: null, memoryLimitBytes: null },
    ]);
  });
});
