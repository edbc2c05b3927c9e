/** Like Promise.all, but waits until all work has ended before it throws. No work continues after a failure. */
export async function allOrNothing<Work extends readonly Promise<unknown>[]>(
  work: readonly [...Work],
): Promise<{ [Index in keyof Work]: Awaited<Work[Index]> }> {
  await Promise.allSettled(work);
  return (await Promise.all(work)) as { [Index in keyof Work]: Awaited<Work[Index]> };
}

/** The reason with which work is cancelled because other work failed. */
export class Abandoned extends Error {
  constructor() {
    super("Other work failed.");
    this.name = "Abandoned";
  }
}

/**
 * Runs work concurrently. The first failure cancels the rest and is thrown once all have ended.
 *
 * @param begin Receives the signal that cancels the work.
 */
export async function runConcurrently<Work extends readonly Promise<unknown>[]>(
  signal: AbortSignal,
  begin: (signal: AbortSignal) => readonly [...Work],
): Promise<{ [Index in keyof Work]: Awaited<Work[Index]> }> {
  const abandon = new AbortController();
  const work = begin(AbortSignal.any([signal, abandon.signal]));
  let first: { error: unknown } | undefined;
  const watched = work.map((one) =>
    one.catch((error: unknown) => {
      first ??= { error };
      abandon.abort(new Abandoned());
    }),
  );
  await Promise.all(watched);
  if (first !== undefined) throw first.error;
  return (await Promise.all(work)) as { [Index in keyof Work]: Awaited<Work[Index]> };
}
