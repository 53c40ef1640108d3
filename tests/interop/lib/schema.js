// The schemas of docs/schema, as one judge of every message that the programs see.
"use strict";
const { readdirSync, readFileSync } = require("node:fs");
const path = require("node:path");
const Ajv = require("ajv/dist/2020");

const FOLDER = path.join(__dirname, "..", "..", "..", "docs", "schema");

// Strict about the schemas themselves: no unknown keyword, no keyword that does nothing. Types and required fields of a part may stand
// in the schema around it.
const ajv = new Ajv({ strict: true, strictTypes: false, strictRequired: false, allowUnionTypes: true });
const files = readdirSync(FOLDER).filter((name) => name.endsWith(".json"));
for (const file of files) ajv.addSchema(JSON.parse(readFileSync(path.join(FOLDER, file))));

// Compiled before a program begins: it takes longer than some nodes of tests wait for a pong.
for (const file of files) {
	ajv.getSchema(file);
	for (const name of Object.keys(ajv.getSchema(file).schema.$defs || {})) ajv.getSchema(`${file}#/$defs/${name}`);
}

/** Throws what is wrong with the value. name: "event.json", "http.json#/$defs/error". */
function check(name, value) {
	const judge = ajv.getSchema(name);
	if (!judge) throw new Error(`there is no schema ${name}`);
	if (!judge(value)) throw new Error(`against ${name}: ${ajv.errorsText(judge.errors)}\n${JSON.stringify(value).slice(0, 2000)}`);
}

/** Holds a message of a node to its schema. ops: the op of each request by its id, as far as it is known. */
function checkFromNode(message, ops) {
	if ("op" in message) {
		check("push.json", message);
		return;
	}
	check("reply.json", message);
	if (message.ok && ops.has(message.id)) check(`reply.json#/$defs/${ops.get(message.id)}`, message.ok);
}

module.exports = { ajv, files, check, checkFromNode };
