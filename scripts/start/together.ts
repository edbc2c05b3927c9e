/** Like Promise.all, but waits for all to end before it throws, so that nothing goes on behind a failure. */
export async function allOrNothing<Work extends readonly Promise<unknown>[]>(
  work: readonly [...Work],
): Promise<{ [Index in keyof Work]: Awaited<Work[Index]> }> {
  await Promise.allSettled(work);
  return (await Promise.all(work)) as { [Index in keyof Work]: Awaited<Work[Index]> };
}
