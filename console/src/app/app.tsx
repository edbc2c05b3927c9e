import { ApiError } from "@ngpu/api-client/errors";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { SessionProvider } from "../api/session.tsx";
import type { Language } from "../i18n/language.ts";
import type { Messages } from "../i18n/types.ts";
import { createAppRouter } from "./router.tsx";
import { SettingsProvider } from "./settings.tsx";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      // The client has already repeated what a repetition may help.
      retry: false,
      refetchOnWindowFocus: (query) => !(query.state.error instanceof ApiError),
    },
  },
});
const router = createAppRouter();

export function App({ initial }: { initial: { language: Language; messages: Messages } }) {
  return (
    <SettingsProvider initial={initial}>
      <QueryClientProvider client={queries}>
        <SessionProvider>
          <RouterProvider router={router} />
        </SessionProvider>
      </QueryClientProvider>
    </SettingsProvider>
  );
}
