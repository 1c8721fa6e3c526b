"use strict";
// The view's side of MCP Apps (2026-01-26): JSON-RPC 2.0 by postMessage with the window around this page. Without one,
// what to show stands in the page itself (#given), or comes from the server that gave the page.
const $ = (id) => document.getElementById(id);
const host = { inside: window.parent !== window, can: {}, context: {}, site: "" };
const shared = {
  en: { waiting: "Working…", stopped: "The call was stopped.", copy: "Copy", copied: "Copied", notes: "Notes",
    empty: "There is nothing to show yet.", unreachable: "The server does not answer." },
  zh: { waiting: "处理中…", stopped: "调用已停止。", copy: "复制", copied: "已复制", notes: "说明",
    empty: "还没有可显示的内容。", unreachable: "服务器没有响应。" },
};
let words = {}, tongue = "en", view = null, state = {}, attend = null;

// --- words and elements

function t(key, ...values) {
  const text = words[tongue]?.[key] ?? shared[tongue][key] ?? words.en?.[key] ?? shared.en[key] ?? key;
  return values.reduce((said, value, at) => said.replace(`{${at}}`, value), text);
}
function settle(locale) {
  tongue = /^zh\b/i.test(locale || "") ? "zh" : "en";
  document.documentElement.lang = tongue === "zh" ? "zh-CN" : "en";
  for (const one of document.querySelectorAll("[data-t]")) one.textContent = t(one.dataset.t);
  for (const one of document.querySelectorAll("[data-label]")) one.setAttribute("aria-label", t(one.dataset.label));
  if ($("title")) document.title = $("title").textContent;
}
const SVG = "http://www.w3.org/2000/svg", DRAWN = new Set(["svg", "g", "rect", "line", "text", "path", "title"]);
function make(tag, facts = {}, ...inside) {
  const made = DRAWN.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(facts)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...inside.flat().filter((one) => one != null && one !== "" && one !== false));
  return made;
}
function money(cny) {
  if (cny > 0 && cny < 0.00005) return "< ¥0.0001";
  const digits = cny !== 0 && cny < 0.1 ? 4 : 2;
  return cny == null ? "" : `¥${cny.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })}`;
}
function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds || 0)), two = (part) => String(part).padStart(2, "0");
  const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  return (hours ? `${hours}:${two(minutes)}` : `${minutes}`) + `:${two(whole % 60)}`;
}
function notice(text, bad = false, busy = false) {
  const place = $("notice");
  place.className = `notice${bad ? " bad" : ""}${busy ? " spin" : ""}`;
  place.setAttribute("role", bad ? "alert" : "status");
  place.textContent = text;
  place.hidden = !text;
}
const texts = (result) => (result?.content || []).filter((one) => one.type === "text").map((one) => one.text).join("\n\n");
const told = (result) => result?._meta?.["mtu-mcp/view"] || {};
function asides(result) {
  const notes = [...(result?.structuredContent?.notes || []), ...(result?.structuredContent?.receipts || [])];
  return notes.length ? make("details", {}, make("summary", {}, t("notes")), notes.map((one) => make("p", { class: "faint" }, one))) : null;
}
// Markdown as models write it, made of elements and text: nothing a model says becomes HTML.
function prose(text, cite) {
  const blocks = [], lines = String(text || "").split("\n");
  let list = null, said = [];
  const flush = () => { if (said.length) blocks.push(make("p", {}, inline(said.join("\n"), cite))); said = []; };
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at], head = /^#{1,6}\s+(.*)/.exec(line), item = /^\s*(?:[-*•]|(\d+)[.)])\s+(.*)/.exec(line);
    if (!item) list = null;
    if (/^\s*```/.test(line)) {
      flush();
      const code = [];
      while (++at < lines.length && !/^\s*```/.test(lines[at])) code.push(lines[at]);
      blocks.push(make("pre", { tabindex: 0 }, make("code", {}, code.join("\n"))));
    } else if (head) { flush(); blocks.push(make("h4", {}, inline(head[1], cite)));
    } else if (item) {
      flush();
      if (!list) blocks.push((list = make(item[1] ? "ol" : "ul", { start: item[1] })));
      list.append(make("li", {}, inline(item[2], cite)));
    } else if (!line.trim()) flush(); else said.push(line);
  }
  flush();
  return blocks;
}
function inline(text, cite) {
  return text.split(/(\*\*[^*]+\*\*|`[^`]+`|\[\d{1,3}\]|\[[^\]]+\]\(https?:[^)\s]+\))/).map((one) => {
    if (/^\*\*.+\*\*$/.test(one)) return make("strong", {}, one.slice(2, -2));
    if (/^`.+`$/.test(one)) return make("code", {}, one.slice(1, -1));
    const number = /^\[(\d+)\]$/.exec(one), link = /^\[(.+)\]\((\S+)\)$/.exec(one);
    if (number) return (cite && cite(Number(number[1]))) || one;
    return link ? anchor(link[2], link[1]) : one;
  });
}
function anchor(url, label) {
  if (!/^https?:\/\//i.test(url)) return make("span", {}, label);
  const open = (event) => { if (host.inside) { event.preventDefault(); ask("ui/open-link", { url }).catch(() => notice(url)); } };
  return make("a", { href: url, target: "_blank", rel: "noopener noreferrer", onclick: open }, label);
}
function copier(text) {
  const copy = make("button", { type: "button", onclick: async () => {
    try { await navigator.clipboard.writeText(text()); } catch { byHand(text()); }
    copy.textContent = t("copied");
    setTimeout(() => { copy.textContent = t("copy"); }, 1500);
  } }, t("copy"));
  return copy;
}
function byHand(text) {
  const field = make("textarea", { class: "unseen" });
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

// --- the window around this page

const calls = new Map(), hear = {};
let last = 0;
function post(message) { window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*"); }
function ask(method, params) {
  return new Promise((resolve, reject) => {
    const id = ++last;
    calls.set(id, { resolve, reject });
    post({ id, method, params });
  });
}
window.addEventListener("message", (event) => {
  const message = event.data;
  if (!host.inside || event.source !== window.parent || message?.jsonrpc !== "2.0") return;
  if (message.method === undefined) {
    const call = calls.get(message.id);
    calls.delete(message.id);
    if (message.error) call?.reject(new Error(message.error.message || "error"));
    else call?.resolve(message.result);
  } else if (message.id === undefined) {
    hear[message.method]?.(message.params || {});
  } else if (message.method === "ping" || message.method === "ui/resource-teardown") {
    for (const one of document.querySelectorAll("audio, video")) one.pause();
    post({ id: message.id, result: {} });
  } else post({ id: message.id, error: { code: -32601, message: "Method not found" } });
});
function adopt(context = {}) {
  Object.assign(host.context, context);
  const root = document.documentElement;
  if (context.theme) root.style.colorScheme = root.dataset.theme = context.theme === "dark" ? "dark" : "light";
  for (const [name, value] of Object.entries(context.styles?.variables || {}))
    if (name.startsWith("--") && value && !/url\(/i.test(value)) root.style.setProperty(name, value);
  if (context.locale) settle(context.locale);
  // A frame that grows with the page needs no bar; one that comes and goes would change the width, and so the height.
  const room = host.context.containerDimensions || {};
  root.style.scrollbarWidth = room.height || room.maxHeight ? "" : "none";
}
hear["ui/notifications/host-context-changed"] = (context) => {
  adopt(context);
  if (context.locale && state.result) draw();
};
hear["ui/notifications/tool-input"] = ({ arguments: input }) => { state.input = input || {}; notice(t("waiting"), false, true); view.wait?.(state.input); };
hear["ui/notifications/tool-result"] = (result) => { state.result = result; draw(); };
hear["ui/notifications/tool-cancelled"] = () => notice(t("stopped"), true);
function draw() {
  notice("");
  if (attend && jobOf(state.result)) return attend(state.result);
  if (state.result?.isError) return notice(texts(state.result), true);
  if (!view.show(state.result || {}, state.input || {})) notice(texts(state.result) || t("empty"));
}
function tell() {
  const body = document.body;
  const size = { width: Math.ceil(body.scrollWidth), height: Math.ceil(body.getBoundingClientRect().height) };
  if (size.height !== tell.height || size.width !== tell.width) post({ method: "ui/notifications/size-changed", params: size });
  Object.assign(tell, size);
}
const may = (what) => Boolean(host.inside && host.can[what]);
const say = (text) => ask("ui/message", { role: "user", content: [{ type: "text", text }] })
  .catch(() => ask("ui/message", { role: "user", content: { type: "text", text } }));
async function called(name, given) {
  const result = await ask("tools/call", { name, arguments: given });
  if (result.isError) throw new Error(texts(result));
  return result;
}
// The whole of a file of the library as an address that an element can show; "" where it is not to be had.
async function whole(item) {
  if (item.src) return item.src;
  if (host.site) return item.uri && `${host.site}media/${encodeURIComponent(item.name)}`;
  if (!may("serverResources") || !item.uri) return "";
  const { contents } = await ask("resources/read", { uri: item.uri });
  const [found] = contents || [];
  return found?.blob ? `data:${found.mimeType || item.mime};base64,${found.blob}` : "";
}
async function feed(query = "") {
  const answer = await fetch(`${host.site}feed/${view.feed}${query}`);
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}
async function start(page, own) {
  [view, words] = [page, own];
  settle(navigator.language);
  try {
    if ($("given")) { state.result = JSON.parse($("given").textContent); return draw(); }
    notice(t("waiting"), false, true);
    if (!host.inside) {
      if (!view.feed || !location.protocol.startsWith("http")) return notice(t("empty"));
      host.site = new URL(".", location.href).href;
      document.querySelector("header").prepend(make("a", { href: host.site, class: "home" }, "‹ Mtu"));
      state.result = await feed(location.search);
      return draw();
    }
    const answer = await ask("ui/initialize", {
      appInfo: { name: "mtu-mcp", title: document.title, version: "1" },
      appCapabilities: { availableDisplayModes: ["inline", "fullscreen"] },
      protocolVersion: "2026-01-26",
    });
    host.can = answer?.hostCapabilities || {};
    adopt(answer?.hostContext || {});
    post({ method: "ui/notifications/initialized", params: {} });
    new ResizeObserver(tell).observe(document.body);
  } catch (error) {
    notice(error instanceof TypeError ? t("unreachable") : error.message, true);
  }
}
