// The library is told in parts, the newest first: `add` is given the next one. Returns how many there are in all.
Object.assign(shared.en, { older: "Show older ({0} of {1})" });
Object.assign(shared.zh, { older: "显示更早的（{0} / {1}）" });
function partly(result, shown, add) {
  const { older, total, beyond } = told(result), all = total && total.toLocaleString() + (beyond ? "+" : "");
  const next = make("button", { type: "button", onclick: async () => {
    next.disabled = true;
    try { add(await feed(`?before=${encodeURIComponent(older)}`)); } catch (error) {
      next.disabled = false;
      $("older").replaceChildren(next, " ", error.message);
    }
  } }, t("older", shown, all));
  $("older").replaceChildren(...(older ? [next] : []));
  return all;
}
