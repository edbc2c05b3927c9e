import { expect } from "chai";
import fc from "fast-check";
import {
  type Load,
  mayTryNext,
  parseRoute,
  type Replica,
  rankReplicas,
} from "../../../services/gateway/decide.ts";

const replicaOf = (replica: number): Replica => ({
  workspaceId: "1",
  replica,
  lease: 1,
  nodeId: replica + 10,
});

describe("gateway: rankReplicas", () => {
  it("ranks the least busy connected replica first, and alternates between equals", () => {
    const replicas = [0, 1, 2, 3].map(replicaOf);
    const loads: Load[] = [
      { live: true, outstanding: 1, lastUsed: 1 },
      { live: true, outstanding: 0, lastUsed: 9 },
      { live: true, outstanding: 0, lastUsed: 4 },
      { live: false, outstanding: 0, lastUsed: 0 },
    ];
    const ranked = rankReplicas(replicas, (one) => loads[one.replica] as Load);
    expect(ranked.map((one) => one.replica)).to.deep.equal([2, 1, 0]);
  });

  it("spreads requests evenly when all take the same time", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 200 }), (count, requests) => {
        const used = Array.from({ length: count }, () => ({ times: 0, lastUsed: 0 }));
        const replicas = used.map((_one, index) => replicaOf(index));
        for (let turn = 1; turn <= requests; turn++) {
          const [first] = rankReplicas(replicas, (one) => ({
            live: true,
            outstanding: 0,
            lastUsed: used[one.replica]?.lastUsed ?? 0,
          }));
          const chosen = used[first?.replica ?? -1];
          if (chosen === undefined) return false;
          chosen.times += 1;
          chosen.lastUsed = turn;
        }
        const times = used.map((one) => one.times);
        return Math.max(...times) - Math.min(...times) <= 1;
      }),
    );
  });
});

describe("gateway: mayTryNext", () => {
  it("repeats a POST only when the container did not receive it", () => {
    const post = { method: "POST", bodyBuffered: true };
    expect(mayTryNext({ ...post, failure: "not_delivered" })).to.equal(true);
    expect(mayTryNext({ ...post, failure: "broken" })).to.equal(false);
    expect(mayTryNext({ ...post, failure: "timeout" })).to.equal(false);
  });

  it("repeats an interrupted GET, but no request without a buffered body", () => {
    expect(mayTryNext({ method: "GET", bodyBuffered: true, failure: "broken" })).to.equal(true);
    expect(mayTryNext({ method: "POST", bodyBuffered: false, failure: "not_delivered" })).to.equal(false);
  });
});

describe("gateway: parseRoute", () => {
  it("splits workspace, path and query", () => {
    expect(parseRoute("/7/v1/chat/completions?x=a/../b")).to.deep.equal({
      workspaceId: "7",
      path: "/v1/chat/completions?x=a/../b",
    });
    expect(parseRoute("/7")).to.deep.equal({ workspaceId: "7", path: "/" });
  });

  for (const url of ["/7/../8/x", "/7/a/%2e%2E/b", "/7/a/..%2fb", "/7/.", "/x/y", "/", "/7/a\\..\\b"]) {
    it(`rejects ${url}`, () => expect(parseRoute(url)).to.equal(undefined));
  }
});
