import type { InputOf, ResultOf, Route } from "@ngpu/api-client/routes";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useSession } from "./session.tsx";

/** Reads a route, and reads it again after a time while its page is seen. */
export function useRoute<Name extends Route & `GET ${string}`>(
  route: Name,
  input: InputOf<Name>,
  {
    every,
    enabled = true,
    staleTime,
  }: {
    /** Milliseconds, or a function of what was read; false: never again. */
    every?: number | ((data: ResultOf<Name> | undefined) => number | false);
    enabled?: boolean;
    staleTime?: number;
  } = {},
) {
  const { api, apiKey } = useSession();
  return useQuery<ResultOf<Name>>({
    queryKey: [route, input, readerOf(apiKey)],
    queryFn: ({ signal }) => api.call(route, input, { signal }),
    enabled,
    ...(staleTime === undefined ? {} : { staleTime, refetchOnWindowFocus: false }),
    ...(every === undefined
      ? {}
      : { refetchInterval: typeof every === "number" ? every : ({ state }) => every(state.data) }),
  });
}

/** Reads a list of a route, page by page. */
export function usePages<Name extends Route & `GET ${string}`>(
  route: Name,
  input: InputOf<Name> & { query: object },
  { staleTime, every }: { staleTime?: number; every?: number } = {},
) {
  const { api, apiKey } = useSession();
  return useInfiniteQuery({
    queryKey: [route, "pages", input, readerOf(apiKey)],
    queryFn: ({ pageParam: after, signal }) =>
      api.call(
        route,
        { ...input, query: { ...input.query, ...(after === undefined ? {} : { after }) } },
        { signal },
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (page: ResultOf<Name>) => (page as { next?: string | null }).next ?? undefined,
    ...(staleTime === undefined ? {} : { staleTime }),
    ...(every === undefined ? {} : { refetchInterval: every }),
  });
}

/** What a reader may see is kept apart from what another one may. */
const readerOf = (apiKey: string | undefined) => (apiKey === undefined ? "public" : apiKey.slice(0, 12));
