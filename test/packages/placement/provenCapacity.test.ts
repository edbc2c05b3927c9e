import { capacityDimensions } from "@ngpu/placement/fleet";
import { provenCapacity, provenHardware } from "@ngpu/placement/provenCapacity";
import { expect } from "chai";
import fc from "fast-check";

const capacity = (diskGib: number, ports = 16) => ({
  gpus: 1,
  cpuMilli: 8_000,
  memoryMib: 4_096,
  diskGib,
  ports,
});
const lease = (diskGib: number, assignedBlock: bigint) => ({ diskGib, assignedBlock });

describe("placement: proven hardware", () => {
  const spec = { total: capacity(500), free: { ...capacity(500), cpuMilli: 5_000 }, vramMib: 24_000 };
  const limit = { gpus: 1, vramMib: 20_000, cpuMilli: 6_000, memoryMib: 8_192 };

  it("is what a newcomer declares, and the smaller of declared and proven of any other node", () => {
    expect(provenHardware(spec, undefined)).to.deep.equal(spec);
    const { total, free, vramMib } = provenHardware(spec, limit);
    expect(total).to.deep.equal({ ...spec.total, cpuMilli: 6_000 });
    expect(vramMib).to.equal(20_000);
    // Leases hold three of eight cores: of six, three are free.
    expect(free.cpuMilli).to.equal(3_000);
  });

  it("has nothing free where leases hold more than is proven", () => {
    const none = { gpus: 0, vramMib: 0, cpuMilli: 0, memoryMib: 0 };
    expect(provenHardware(spec, none)).to.deep.include({
      free: { ...spec.free, gpus: 0, cpuMilli: 0, memoryMib: 0 },
      vramMib: 0,
    });
  });
});

describe("placement: proven capacity", () => {
  it("counts the declared capacity of a node without a measurement", () => {
    const spec = { total: capacity(500), free: capacity(450) };
    expect(provenCapacity(spec, undefined, [lease(50, 1n)])).to.deep.equal(spec);
  });

  it("limits disk space to the measured free space less later assignments", () => {
    const spec = { total: capacity(500), free: capacity(430) };
    const measured = { diskGib: 80, ports: 1, block: 10n };
    const { free, total } = provenCapacity(spec, measured, [lease(50, 9n), lease(20, 11n)]);
    expect(free).to.deep.equal(capacity(60));
    expect(total).to.deep.equal(capacity(130));
    expect(provenCapacity(spec, measured, [lease(500, 11n)]).free.diskGib).to.equal(0);
  });

  it("counts no ports when the measurement reached none", () => {
    const spec = { total: capacity(500), free: capacity(500) };
    const { free } = provenCapacity(spec, { diskGib: 900, ports: 0, block: 1n }, []);
    expect(free).to.deep.equal(capacity(500, 0));
  });

  it("stays between zero and the declared capacity", () => {
    const amounts = fc.record({
      total: fc.nat(1_000),
      taken: fc.nat(1_000),
      found: fc.nat(2_000),
      ports: fc.nat(1),
    });
    const leases = fc.array(fc.record({ diskGib: fc.nat(600), assignedBlock: fc.bigInt(0n, 20n) }), {
      maxLength: 5,
    });
    fc.assert(
      fc.property(amounts, leases, ({ total, taken, found, ports }, held) => {
        const spec = { total: capacity(total), free: capacity(Math.max(0, total - taken)) };
        const result = provenCapacity(spec, { diskGib: found, ports, block: 10n }, held);
        for (const part of ["total", "free"] as const) {
          for (const dimension of capacityDimensions) {
            expect(result[part][dimension]).to.be.within(0, spec[part][dimension]);
          }
        }
      }),
    );
  });
});
