import { useText } from "../../app/settings.tsx";
import { Field } from "../../ui/form.tsx";
import type { Workspace } from "./types.ts";

/** Chooses one of a workspace's replicas. */
export function ReplicaField(given: {
  workspace: Workspace;
  replica: number;
  onChange: (replica: number) => void;
}) {
  const t = useText();
  return (
    <Field label={t("replica.name")}>
      {(control) => (
        <select
          {...control}
          value={given.replica}
          onChange={(event) => given.onChange(Number(event.target.value))}
        >
          {given.workspace.replicaList.map(({ replica, node }) => (
            <option key={replica} value={replica}>
              {node === null ? replica : `${replica} · ${t("node.name", { id: node.id })}`}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}
