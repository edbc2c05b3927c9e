type Page = { next: string | null } & Record<string, unknown>;

/** Every entry of a list, page after page. */
export async function* createPages<Entry>(
  input: { query?: unknown },
  read: (query: Record<string, unknown>) => Promise<unknown>,
): AsyncGenerator<Entry> {
  let query = { ...(input.query as Record<string, unknown> | undefined) };
  for (;;) {
    const page = (await read(query)) as Page;
    const entries = Object.values(page).find(Array.isArray) as Entry[] | undefined;
    yield* entries ?? [];
    if (page.next === null || page.next === undefined) return;
    query = { ...query, after: page.next };
  }
}
