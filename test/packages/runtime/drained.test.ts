import { getEventListeners } from "node:events";
import { Writable } from "node:stream";
import { drained } from "@ngpu/runtime/drained";
import { expect } from "chai";

/** A stream that is full after each byte, and takes it when `take` is called. */
function slowStream() {
  let take: (() => void) | undefined;
  const stream = new Writable({
    highWaterMark: 1,
    write: (_part, _encoding, done) => {
      take = done;
    },
  });
  return { stream, take: () => take?.() };
}

describe("a writer that waits for its reader", () => {
  it("leaves no listener behind, however often it waits", async () => {
    const { stream, take } = slowStream();
    const { signal } = new AbortController();
    for (let times = 0; times < 20; times++) {
      expect(stream.write("x")).to.equal(false);
      const waited = drained(stream, { signal });
      take();
      await waited;
    }
    expect(getEventListeners(signal, "abort")).to.have.length(0);
    expect(stream.listenerCount("drain")).to.equal(0);
  });

  it("ends when the client leaves, and leaves no listener behind", async () => {
    const { stream } = slowStream();
    const left = new AbortController();
    stream.write("x");
    const waited = drained(stream, { signal: left.signal });
    left.abort(new Error("the client disconnected"));
    const reason = await waited.catch((error: Error) => error.message);
    expect(reason).to.equal("the client disconnected");
    expect(stream.listenerCount("drain")).to.equal(0);
  });

  it("ends when the stream or a peer is closed, also before the wait, and leaves no listener behind", async () => {
    const [{ stream }, { stream: peer }] = [slowStream(), slowStream()];
    stream.write("x");
    const waited = drained(stream, { peers: [peer] });
    peer.destroy();
    await waited;
    await drained(stream, { peers: [peer] });
    expect([stream.listenerCount("drain"), stream.listenerCount("close")]).to.deep.equal([0, 0]);
    stream.destroy();
    await drained(stream);
  });
});
