// The examples in JavaScript of docs/clients.md, as the text of functions.
"use strict";
const { readFileSync } = require("node:fs");
const path = require("node:path");

const page = readFileSync(path.join(__dirname, "..", "..", "..", "docs", "clients.md"), "utf8");
const blocks = [...page.matchAll(/^```js\n(.*?)^```$/gms)].map(([, block]) => block);
if (blocks.length < 3) throw new Error("docs/clients.md has lost its examples");

module.exports = { examples: blocks.join("\n") };
