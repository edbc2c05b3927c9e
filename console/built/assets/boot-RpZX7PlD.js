// Runs before the console's modules, without them. A page of which a script could not be loaded, as when the network changes, stays
// empty: it is loaded again, and says so when that does not help.
(() => {
  const stored = "ngpu.reloads";
  const most = 3;
  const pause = 500;
  const texts = {
    en: ["The console could not be loaded. Check your connection.", "Load again"],
    zh: ["无法加载控制台。请检查网络连接。", "重新加载"],
  };
  let isAsked = false;
  const read = (storage, name) => {
    try {
      return storage().getItem(name);
    } catch {
      return null;
    }
  };

  const say = (root) => {
    const language = read(() => localStorage, "ngpu.language") ?? navigator.language;
    const [text, action] = language.startsWith("zh") ? texts.zh : texts.en;
    const paragraph = document.createElement("p");
    const button = document.createElement("button");
    paragraph.setAttribute("role", "alert");
    paragraph.textContent = text;
    button.textContent = action;
    button.addEventListener("click", () => location.reload());
    root.append(paragraph, button);
  };

  const again = () => {
    const root = document.getElementById("root");
    if (isAsked || root === null || root.childElementCount > 0) return;
    isAsked = true;
    const reloads = Number(read(() => sessionStorage, stored) ?? most);
    try {
      sessionStorage.setItem(stored, String(reloads + 1));
    } catch {
      // Without storage nothing counts the reloads, so there is none.
    }
    if (reloads >= most) say(root);
    else setTimeout(() => location.reload(), pause * 2 ** reloads);
  };

  try {
    sessionStorage.setItem(stored, sessionStorage.getItem(stored) ?? "0");
  } catch {
    // As above.
  }
  // Errors of elements do not bubble.
  addEventListener("error", () => setTimeout(again), true);
})();
