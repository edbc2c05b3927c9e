import { Link } from "@tanstack/react-router";
import { useText } from "../app/settings.tsx";

export function NodeLink({ id }: { id: number }) {
  const t = useText();
  return (
    <Link to="/nodes/$id" params={{ id: String(id) }}>
      {t("node.name", { id })}
    </Link>
  );
}
