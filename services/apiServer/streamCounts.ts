import { InputError } from "@ngpu/runtime/errors";

/** Streams of one kind and wallet that an instance serves at the same time. */
const maxStreams = 32;

/** Limits the streams of a wallet. */
export function createStreamCounts() {
  const streams = new Map<string, number>();
  return {
    /** Does work while a stream of the wallet is counted. @throws InputError `too_many_streams`. */
    during: async (wallet: string, work: () => Promise<void>): Promise<void> => {
      const open = streams.get(wallet) ?? 0;
      if (open >= maxStreams) throw tooManyStreams();
      streams.set(wallet, open + 1);
      try {
        await work();
      } finally {
        const left = (streams.get(wallet) ?? 1) - 1;
        if (left === 0) streams.delete(wallet);
        else streams.set(wallet, left);
      }
    },
  };
}

function tooManyStreams(): InputError {
  return new InputError(`You have ${maxStreams} streams of this kind open.`, {
    code: "too_many_streams",
    status: 429,
    hint: "Close one, or read without following.",
  });
}
