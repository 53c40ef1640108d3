// Messages that others saw, held to the schemas: the examples of the pages, and recordings of the test clients.
"use strict";
const test = require("node:test");
const assert = require("node:assert");
const { readFileSync, readdirSync } = require("node:fs");
const path = require("node:path");
const { ajv, files, check, checkFromNode } = require("./lib/schema");

const docs = path.join(__dirname, "..", "..", "docs");
const PAGES = ["protocol.md", "time-travel.md"];

test("every schema and each of its parts can be used", () => {
	assert.ok(files.length >= 8);
	for (const file of files) {
		assert.ok(ajv.getSchema(file));
		const { $defs = {} } = JSON.parse(readFileSync(path.join(docs, "schema", file)));
		for (const name of Object.keys($defs)) assert.ok(ajv.getSchema(`${file}#/$defs/${name}`), `${file} ${name}`);
	}
});

test("schemas refuse what the protocol does not have", () => {
	const event = { id: "7-0", channel: "trace:s1", ts: 7, data: null };
	const wrong = [
		["event.json", { ...event, id: "7" }],
		["event.json", { ...event, json: "1" }],
		["event.json", { ...event, surprise: 1 }],
		["event.json", { id: "7-0", channel: "trace:s1", ts: 7 }],
		["event.json", { ...event, data: {}, format: "text" }],
		["push.json", { op: "events", cursor: null, events: [] }],
		["push.json", { op: "notice", code: "draining" }],
		["reply.json", { id: 1, ok: {}, error: { code: "x", message: "y", temporary: false } }],
		["reply.json", { id: 1, error: { code: "timeout", message: "y", temporary: true } }],
		["reply.json#/$defs/auth", { identity: "ann", expiresAt: null }],
		["reply.json#/$defs/auth", { identity: "ann", expiresAt: null, limits: { messageBytes: 1 } }],
		["request.json", { op: "subscribe", channels: [] }],
		["request.json", { op: "control", replay: "r1", do: "seek" }],
		["request.json", { op: "subscribe", filter: { where: [{ path: "/n", op: "in", value: 1 }] } }],
		["http.json#/$defs/error", { error: { code: "Bad", message: "y" } }],
		["api-keys.json", { keys: [{ id: "a", key: "k", sha256: "0".repeat(64) }] }],
	];
	check("event.json", event);
	for (const [name, value] of wrong) assert.throws(() => check(name, value), /against/, JSON.stringify(value));
});

/** The example with something of the right form wherever the page says that it differs from run to run. */
function fill(value, name) {
	if (value === "<id>") return "7-0";
	if (value === "<cursor>") return "7-0.00c0ffee";
	if (Array.isArray(value)) return value.map((part) => fill(part));
	if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, fill(part, key)]));
	return name === "retryAfterMs" && value === 0 ? 1 : value;
}

/** The blocks of one kind in a page, as lines. */
function blocks(page, kind) {
	const text = readFileSync(path.join(docs, page), "utf8");
	return [...text.matchAll(new RegExp(`^\`\`\`${kind}\\n(.*?)^\`\`\`$`, "gms"))].map(([, block]) => block.trim().split("\n"));
}

function parse(text) {
	try {
		return fill(JSON.parse(text));
	} catch {
		return undefined; // an example of what is no JSON
	}
}

/** Holds a conversation to the schemas: all that the node says, and requests that it grants. lines: [is of the node, message]. */
function checkConversation(lines) {
	const requests = new Map(), ops = new Map();
	let count = 0;
	for (const [isOfNode, message] of lines) {
		if (!isOfNode) {
			if (message && typeof message === "object" && "id" in message) {
				requests.set(message.id, message);
				ops.set(message.id, message.op);
			}
			continue;
		}
		checkFromNode(message, ops);
		if (message.ok && requests.has(message.id)) check("request.json", requests.get(message.id));
		count++;
	}
	return count;
}

for (const page of PAGES) {
	test(`the examples of ${page} are valid`, () => {
		let count = 0;
		for (const block of blocks(page, "json")) {
			const lines = block.filter((line) => /^[<>] /.test(line) && !line.startsWith("< CLOSE"));
			count += checkConversation(lines.map((line) => [line[0] === "<", parse(line.slice(2))]));
		}
		assert.ok(count > 10, `${count} messages`);
	});
}

test("the examples of HTTP are valid", () => {
	const schemas = { "/v1/publish": "published", "/v1/history": "history", "/v1/state": "state", "/v1/sessions": "sessions" };
	let count = 0;
	for (const block of blocks("protocol.md", "http")) {
		let schema, status;
		for (const line of block) {
			const [, target] = /^> [A-Z]+ (\/[^ ?]*)/.exec(line) || [];
			if (target) schema = schemas[target];
			const [, code] = /^< (\d{3}) /.exec(line) || [];
			if (code) status = Number(code);
			if (line.startsWith("> Accept: application/x-ndjson")) schema = "historyLine";
			if (line.startsWith('> {"channel"')) check("http.json#/$defs/publishRequest", JSON.parse(line.slice(2)));
			if (/^< data: /.test(line)) check("event.json", parse(line.slice(8)));
			if (!line.startsWith("< {")) continue;
			check(`http.json#/$defs/${status === 200 ? schema : "error"}`, parse(line.slice(2)));
			count++;
		}
	}
	assert.ok(count > 10, `${count} bodies`);
});

const folder = process.env.TEST_RECORDED_MESSAGES;

test("every message that the test clients saw is valid", { skip: !folder && "nothing was recorded" }, () => {
	let count = 0;
	for (const file of readdirSync(folder)) {
		// Broken on purpose, and not JSON: a hostile client's message, and a node that is a test's own.
		const lines = readFileSync(path.join(folder, file), "utf8").split("\n").filter((line) => line.length > 2);
		const parsed = lines.map((line) => [line[0] === "<", parse(line.slice(2))]);
		count += checkConversation(parsed.filter(([isOfNode, message]) => isOfNode || message !== undefined));
	}
	assert.ok(count > 100, `${count} messages were recorded`);
});
