import { EventEmitter } from "node:events";
import { InputError } from "@ngpu/runtime/errors";
import { expect } from "chai";
import type { Request, Response } from "express";
import { createBodyBudget } from "../../../services/apiServer/bodyBudget.ts";

const largest = 100;

describe("apiServer: bodies of open requests", () => {
  /** Opens requests; each returns how it ends, or the status with which it was refused. */
  function open(limits: { caller: number; process: number }) {
    const budget = createBodyBudget(limits)(largest);
    return (wallet: string | undefined, headers: Record<string, string>): (() => void) | number => {
      const response = Object.assign(new EventEmitter(), {
        locals: wallet === undefined ? {} : { partner: { wallet } },
      });
      const request = { headers, ip: "192.0.2.7" };
      try {
        void budget(request as unknown as Request, response as unknown as Response, () => undefined);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        expect(error.code).to.equal("bodies_too_large");
        return error.status;
      }
      return () => response.emit("close");
    };
  }
  const of = (bytes: number) => ({ "content-length": String(bytes) });

  it("take at most the caller's share, until one of its requests has ended", () => {
    const send = open({ caller: 100, process: 1_000 });
    const end = send("a", of(60));
    expect(send("a", of(41))).to.equal(429);
    expect(send("a", of(40))).to.be.a("function");
    expect(send("b", of(100))).to.be.a("function");
    expect(send(undefined, of(100))).to.be.a("function");
    expect(send(undefined, of(1))).to.equal(429);
    (end as () => void)();
    expect(send("a", of(60))).to.be.a("function");
  });

  it("leave room for the first requests of others, whoever fills the memory", () => {
    const send = open({ caller: 1_000, process: 1_000 });
    let sent = 0;
    while (typeof send("a", of(50)) !== "number") sent += 1;
    expect(sent).to.equal(10);
    for (const wallet of ["b", "c", "d"]) expect(send(wallet, of(50)), wallet).to.be.a("function");
  });

  it("count as the largest without a length, and when they are compressed", () => {
    const send = open({ caller: 150, process: 1_000 });
    expect(send("a", { "transfer-encoding": "chunked" })).to.be.a("function");
    expect(send("a", { ...of(1), "content-encoding": "gzip" })).to.equal(429);
    expect(send("a", of(50))).to.be.a("function");
    expect(send("a", {}), "no body").to.be.a("function");
  });

  it("count as no more than the largest: a longer one is refused by its own limit", () => {
    const send = open({ caller: 150, process: 1_000 });
    expect(send("a", of(1e15))).to.be.a("function");
    expect(send("a", of(50))).to.be.a("function");
  });
});
