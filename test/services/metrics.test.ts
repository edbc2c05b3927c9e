import { createRegistry } from "@ngpu/runtime/metrics";
import { version } from "@ngpu/runtime/version";
import { expect } from "chai";
import { createMeasurerMetrics } from "../../node-client/measure/metrics.ts";
import { nodeMetrics } from "../../node-client/metrics.ts";
import { callHistogram } from "../../services/apiServer/metrics.ts";
import { createWatch, watchEndpoints } from "../../services/autoExport/metrics.ts";
import { createMetrics as createDispenseMetrics } from "../../services/dispense/metrics.ts";
import { createGatewayMetrics } from "../../services/gateway/metrics.ts";
import { createMatchMetrics } from "../../services/match/metrics.ts";
import { createPomcMetrics } from "../../services/pomc/metrics.ts";
import { createMetrics as createWebhooksMetrics } from "../../services/webhooks/metrics.ts";
import { createMetrics as createWorkspaceMetrics } from "../../services/workspace/metrics.ts";

/** The registry of each program with all of its metrics, by component. */
function registries() {
  const build = (component: string, add: (registry: ReturnType<typeof createRegistry>) => unknown) => {
    const registry = createRegistry(component);
    add(registry);
    return { component, registry };
  };
  const node = nodeMetrics();
  const walls = { state: "up", repairs: 0 };
  node.watch(() => ({
    session: true,
    tunnels: 1,
    running: [],
    gpus: [],
    sickGpus: [],
    lastContactAt: 0,
    walls,
  }));
  return [
    build("export", (registry) => {
      createWatch(registry);
      watchEndpoints(registry, () => []);
    }),
    build("match", createMatchMetrics),
    build("workspace", createWorkspaceMetrics),
    build("dispense", createDispenseMetrics),
    build("pomc", createPomcMetrics),
    build("gateway", createGatewayMetrics),
    build("api", callHistogram),
    build("webhooks", createWebhooksMetrics),
    build("measurer", createMeasurerMetrics),
    { component: "node", registry: node.registry },
  ];
}

const standard = /^(process|nodejs)_/;
/** Units that Prometheus replaces with base units. */
const scaled =
  /_(ms|milliseconds?|micros|microseconds|nanoseconds|minutes|hours|days|kb|kib|mb|mib|gb|gib|percent)(_|$)/;
/** Metric types whose values are counted. */
const counted = new Set(["counter", "histogram", "summary"]);

describe("metrics", () => {
  const all = registries();

  it("have the prefix ngpu and their component's name, except the standard metrics of the process", async () => {
    for (const { component, registry } of all) {
      const own = registry.getMetricsAsArray().filter(({ name }) => !standard.test(name));
      const names = own.map(({ name }) => name).filter((name) => name !== "ngpu_build_info");
      expect(names, component).not.to.be.empty;
      for (const name of names)
        expect(name).to.match(new RegExp(`^ngpu_${component}_[a-z0-9]+(_[a-z0-9]+)*$`));
    }
  });

  it("follow Prometheus' naming: _total only on counters, base units, a unit on histograms", async () => {
    for (const { registry } of all) {
      for (const { name, type } of await registry.getMetricsAsJSON()) {
        if (standard.test(name)) continue;
        const kind = String(type);
        expect(name.endsWith("_total"), `${name} is a ${kind}`).to.equal(kind === "counter");
        expect(name, "its unit is not a base unit").not.to.match(scaled);
        expect(name, "this suffix is Prometheus' own").not.to.match(/_(count|sum|bucket)$/);
        if (kind === "histogram") expect(name).to.match(/_(seconds|bytes|blocks)$/);
        expect(["gauge", ...counted]).to.include(kind);
      }
    }
  });

  it("have a help text that starts with a capital letter or a number and has no full stop", async () => {
    for (const { registry } of all) {
      for (const { name, help } of await registry.getMetricsAsJSON()) {
        if (!standard.test(name)) expect(help, name).to.match(/^[A-Z0-9].{8,}[^.]$/);
      }
    }
  });

  it("have labels in lower snake case", () => {
    for (const { registry } of all) {
      for (const metric of registry.getMetricsAsArray()) {
        const { labelNames = [] } = metric as unknown as { labelNames?: string[] };
        for (const label of labelNames) expect(label, metric.name).to.match(/^[a-z]+(_[a-z]+)*$/);
      }
    }
  });

  it("report the running version", async () => {
    for (const { registry } of all) {
      const text = await registry.getSingleMetricAsString("ngpu_build_info");
      expect(text).to.include(`version="${version}"`);
    }
  });

  it("count a node's firewall repairs once, however often they are read", async () => {
    const node = nodeMetrics();
    let repairs = 2;
    node.watch(() => ({
      session: true,
      tunnels: 1,
      running: [],
      gpus: [],
      sickGpus: [],
      lastContactAt: 0,
      walls: { state: "up", repairs },
    }));
    const read = async () => {
      const text = await node.registry.getSingleMetricAsString("ngpu_node_firewall_repairs_total");
      expect(text).to.include("# TYPE ngpu_node_firewall_repairs_total counter");
      return Number(/\} (\d+)$/m.exec(text)?.[1]);
    };
    expect([await read(), await read()]).to.deep.equal([2, 2]);
    repairs = 3;
    expect(await read()).to.equal(3);
  });
});
