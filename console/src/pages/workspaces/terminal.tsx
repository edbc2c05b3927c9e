import { useEffect, useRef, useState } from "react";
import { useSession } from "../../api/session.tsx";
import { useSettings } from "../../app/settings.tsx";
import { Button, Field } from "../../ui/form.tsx";
import { ErrorNotice } from "../../ui/notices.tsx";
import { ReplicaField } from "./replicaField.tsx";
import type { Screen } from "./terminalScreen.ts";
import type { Workspace } from "./types.ts";

type Chosen = { replica: number; command: string; opened: number };

/** A shell in the container of a replica. The session outlives a cut of the connection. */
export function Terminal({ workspace }: { workspace: Workspace }) {
  const { t } = useSettings();
  const [replica, setReplica] = useState(0);
  const [command, setCommand] = useState("/bin/sh");
  const [chosen, setChosen] = useState<Chosen>();
  return (
    <div className="stack">
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          setChosen({ replica, command, opened: Date.now() });
        }}
      >
        <div className="fields">
          <ReplicaField workspace={workspace} replica={replica} onChange={setReplica} />
          <Field label={t("terminal.command")} help={t("terminal.command.help")}>
            {(control) => (
              <input
                {...control}
                spellCheck={false}
                autoCapitalize="none"
                value={command}
                onChange={(event) => setCommand(event.target.value)}
              />
            )}
          </Field>
        </div>
        <div className="row">
          <Button kind="primary" type="submit" disabled={command.trim() === ""}>
            {t("terminal.open")}
          </Button>
          {chosen === undefined ? null : (
            <Button onClick={() => setChosen(undefined)}>{t("terminal.close")}</Button>
          )}
        </div>
      </form>
      {chosen === undefined ? null : <Session key={chosen.opened} id={workspace.id} chosen={chosen} />}
    </div>
  );
}

function Session({ id, chosen }: { id: string; chosen: Chosen }) {
  const { t } = useSettings();
  const { api, apiKey = "" } = useSession();
  const element = useRef<HTMLDivElement>(null);
  const [error, setError] = useState<unknown>();
  const text = useRef(t);
  text.current = t;
  useEffect(() => {
    const abort = new AbortController();
    let screen: Screen | undefined;
    const run = async () => {
      const [{ openScreen }, { attachExec }] = await Promise.all([
        import("./terminalScreen.ts"),
        import("@ngpu/api-client/exec"),
      ]);
      if (abort.signal.aborted || element.current === null) return;
      const shown = openScreen(element.current, text.current("terminal.label"));
      screen = shown;
      const session = await api.call(
        "POST /v1/workspaces/{id}/exec",
        {
          path: { id },
          body: {
            command: chosen.command.trim().split(/\s+/),
            replica: chosen.replica,
            tty: true,
            ...shown.size(),
          },
        },
        { signal: abort.signal },
      );
      shown.focus();
      const end = await attachExec(
        { url: api.url, apiKey, api, keyIn: "protocol" },
        { workspaceId: id, id: session.id },
        {
          onStdout: shown.write,
          onStderr: shown.write,
          stdin: shown.input(),
          onSize: shown.onSize,
          signal: abort.signal,
        },
      );
      shown.note(
        text.current("terminal.ended", { reason: end.reason, code: end.exitCode ?? text.current("none") }),
      );
    };
    run().catch((cause: unknown) => {
      if (!abort.signal.aborted) setError(cause);
    });
    return () => {
      abort.abort();
      screen?.close();
    };
  }, [api, apiKey, id, chosen]);
  return (
    <>
      <ErrorNotice error={error} />
      <div className="shell-screen" ref={element} />
    </>
  );
}
