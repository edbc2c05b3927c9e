import "./styles/base.css";
import "./styles/layout.css";
import "./styles/parts.css";
import "./styles/data.css";
import "./app/streams.ts";
import { createRoot } from "react-dom/client";
import { App } from "./app/app.tsx";
import { readLanguage } from "./i18n/language.ts";
import { loadMessages } from "./i18n/messages.ts";

const language = readLanguage();
const messages = await loadMessages(language);
const root = document.getElementById("root");
if (root !== null) createRoot(root).render(<App initial={{ language, messages }} />);
forgetReloads();

/** `boot.js` counts how often the page was loaded in vain. */
function forgetReloads(): void {
  try {
    sessionStorage.removeItem("ngpu.reloads");
  } catch {
    // Without storage there is nothing to forget.
  }
}
