import type { InputOf, ResultOf, Route } from "@ngpu/api-client/routes";
import { useQuery } from "@tanstack/react-query";
import { useSession } from "./session.tsx";

/** Reads a route, and reads it again after a time while its page is seen. */
export function useRoute<Name extends Route & `GET ${string}`>(
  route: Name,
  input: InputOf<Name>,
  { every, enabled = true }: { every?: number; enabled?: boolean } = {},
) {
  const { api, apiKey } = useSession();
  return useQuery<ResultOf<Name>>({
    queryKey: [route, input, apiKey === undefined ? "public" : apiKey.slice(0, 12)],
    queryFn: ({ signal }) => api.call(route, input, { signal }),
    enabled,
    ...(every === undefined ? {} : { refetchInterval: every }),
  });
}
