import { useRef, useState } from "react";
import { useSession } from "../../api/session.tsx";
import { useText } from "../../app/settings.tsx";
import { Button, Field } from "../../ui/form.tsx";
import { ErrorNotice } from "../../ui/notices.tsx";

type Message = { role: "user" | "assistant"; content: string };

/** Chats with the workspace over the API that its partner's programs use. The answer appears as it is generated. */
export function Chat({ id }: { id: string }) {
  const t = useText();
  const { messages, error, ask, stop } = useChat(`ws-${id}`);
  return (
    <div className="stack">
      <div className="messages" aria-live="polite">
        {messages.length === 0 ? <p className="muted">{t("chat.lead")}</p> : null}
        {messages.map((message, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: messages are only appended.
          <div className="message" key={index}>
            <div className="who">{t(`chat.${message.role}`)}</div>
            {message.content === "" && stop !== undefined ? "…" : message.content}
          </div>
        ))}
      </div>
      {error === undefined ? null : <ErrorNotice error={error} />}
      <Question model={`ws-${id}`} ask={ask} stop={stop} />
    </div>
  );
}

/** A conversation with a model. `stop` ends the answer that is being generated; undefined: none is. */
function useChat(model: string) {
  const { api } = useSession();
  const [messages, setMessages] = useState<Message[]>([]);
  const [error, setError] = useState<unknown>();
  const [abort, setAbort] = useState<AbortController>();
  const ask = async (text: string) => {
    const asked: Message[] = [...messages, { role: "user", content: text }];
    const running = new AbortController();
    setError(undefined);
    setAbort(running);
    let answer = "";
    setMessages([...asked, { role: "assistant", content: answer }]);
    try {
      const body = { model, stream: true, messages: asked };
      const { signal } = running;
      for await (const { data } of api.stream("POST /v1/chat/completions", { body }, { signal })) {
        answer += pieceOf(data);
        setMessages([...asked, { role: "assistant", content: answer }]);
      }
    } catch (cause) {
      if (!running.signal.aborted) setError(cause);
    } finally {
      setAbort(undefined);
    }
  };
  return { messages, error, ask, stop: abort === undefined ? undefined : () => abort.abort() };
}

function Question(given: {
  model: string;
  ask: (text: string) => Promise<void>;
  stop: (() => void) | undefined;
}) {
  const { model, ask, stop } = given;
  const t = useText();
  const [text, setText] = useState("");
  const input = useRef<HTMLTextAreaElement>(null);
  const send = async () => {
    if (text.trim() === "") return;
    setText("");
    await ask(text.trim());
    input.current?.focus();
  };
  return (
    <form
      className="stack"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <Field label={t("chat.label")} help={t("chat.help", { model })}>
        {(control) => (
          <textarea
            {...control}
            ref={input}
            value={text}
            onChange={(event) => setText(event.target.value)}
            onKeyDown={(event) => {
              if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
              event.preventDefault();
              event.currentTarget.form?.requestSubmit();
            }}
          />
        )}
      </Field>
      <div className="row">
        <Button kind="primary" type="submit" disabled={stop !== undefined || text.trim() === ""}>
          {t("chat.send")}
        </Button>
        {stop === undefined ? null : <Button onClick={stop}>{t("chat.stop")}</Button>}
      </div>
    </form>
  );
}

/** The text that one event of an OpenAI-compatible stream adds. */
function pieceOf(data: string): string {
  if (data === "[DONE]") return "";
  const { choices } = JSON.parse(data) as { choices?: { delta?: { content?: string } }[] };
  return choices?.[0]?.delta?.content ?? "";
}
