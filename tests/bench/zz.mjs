import { browser } from "./zz-browser.mjs";
for (const r of await browser((process.argv[2] ?? "1,16,256").split(",").map(Number))) console.log(r.name, r.value.toFixed(2), r.detail);
