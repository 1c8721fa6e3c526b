// A call that outlived its host's patience goes on as a job: it is asked after until it ends, and then shown like any other.
Object.assign(shared.en, { working: "Still at work: {0}", stop: "Stop", stopping: "Stopping…", again: "Look again" });
Object.assign(shared.zh, { working: "仍在处理：{0}", stop: "停止", stopping: "正在停止…", again: "再看一次" });
function jobOf(result) {
  const link = (result?.content || []).find((one) => one.type === "resource_link" && one.uri.startsWith("mtu://jobs/"));
  return link && !result.isError && may("serverTools") ? decodeURIComponent(link.uri.slice(11)) : "";
}
async function ended(result, hear) {
  const job = jobOf(result);
  for (let wait = 0, misses = 0; job; wait = 5) {
    try {
      const news = await called("get_job", { job, wait }), { job: facts = {}, data, ...seen } = told(news);
      const text = texts(news), state = facts.state || /^\S+ is (\w+)/.exec(text)?.[1];
      if (state !== "running" && state !== "queued") {
        const content = [{ type: "text", text: text.replace(/^\S+ is \w+: .*\n+/, "") }, ...news.content.filter((one) => one.type !== "text")];
        return { content, structuredContent: data, isError: state !== "done", _meta: { "mtu-mcp/view": seen } };
      }
      hear(facts);
      misses = 0;
    } catch (error) { if (++misses > 2) throw error; }
    await new Promise((go) => setTimeout(go, 700));
  }
  return result;
}
let attended = null;
attend = async (result) => {
  let since = Date.now();
  attended = result;
  const time = make("small", { "aria-hidden": "true" });
  const stop = make("button", { type: "button", onclick: () => {
    stop.disabled = true;
    stop.textContent = t("stopping");
    called("get_job", { job: jobOf(result), cancel: true }).catch((error) => notice(error.message, true));
  } }, t("stop"));
  const row = make("div", { class: "row", id: "work" }, time, stop);
  const tick = () => { time.textContent = clock((Date.now() - since) / 1000); };
  const ticking = setInterval(tick, 1000);
  notice(t("waiting"), false, true);
  $("notice").after(row);
  tick();
  try {
    const last = await ended(result, (facts) => {
      since = facts.created ? facts.created * 1000 : since;
      notice(facts.heard ? t("working", facts.heard) : t("waiting"), false, true);
    });
    if (attended !== result) return;
    state.result = last;
    draw();
    ask("ui/update-model-context", { content: [{ type: "text", text: texts(state.result) }] }).catch(() => {});
  } catch (error) {
    notice(error.message, true);
    $("notice").append(" ", make("button", { type: "button", onclick: () => attend(result) }, t("again")));
  } finally {
    clearInterval(ticking);
    row.remove();
  }
};
