// Ten thousand random JSON values through every encoding, both ways: equal at the other end, byte for byte where that is promised.
"use strict";
const test = require("node:test");
const assert = require("node:assert");
const Ws = require("ws");
const { EventSource } = require("eventsource");
const { request } = require("undici");
const { Conversation } = require("./lib/conversation");
const { own, nodes, Queue, Redis, randomFrom } = require("./lib/setup");
const values = require("./lib/values");
const { check } = require("./lib/schema");

const COUNT = Number(process.env.TEST_VALUES || 10000);
const AT_ONCE = 200;
const PUBLISHERS = 8; // requests of one connection under way: as history.requests_per_client allows
const random = randomFrom(Number(process.env.TEST_SEED || 20251125));
const texts = Array.from({ length: COUNT }, () => values.randomJson(random));
const trees = texts.map(values.parseExactly);
const channel = "trace:values";
const url = `http://127.0.0.1:${nodes[0].port}`;
const redis = new Redis();

/** Takes the events out of a message, each of which must hold its payload as it was published. */
function takeVerbatim(message, expected) {
	const head = /[[,]?\{"id":"[^"]*","channel":"[^"]*","ts":\d+,"data":/y;
	head.lastIndex = message.indexOf('"events":[') + '"events":'.length;
	let count = 0;
	while (head.test(message)) {
		const payload = expected[count++];
		const came = message.slice(head.lastIndex, head.lastIndex + payload.length);
		assert.equal(came, payload);
		head.lastIndex += payload.length;
		assert.equal(message[head.lastIndex++], "}");
	}
	return count;
}

async function expectVerbatim(client) {
	for (let at = 0; at < COUNT; ) {
		const { texts: [message], events } = await client.events(1);
		const count = takeVerbatim(message, texts.slice(at, at + events.length));
		assert.equal(count, events.length);
		at += count;
	}
}

function checkExact(event, at) {
	assert.equal("json" in event, !values.textFits(texts[at]), texts[at]);
	if ("json" in event) assert.equal(event.json, values.wellFormed(texts[at]));
	else values.assertSame(trees[at], event.data);
}

async function publishAll() {
	for (let at = 0; at < COUNT; at += AT_ONCE)
		await Promise.all(texts.slice(at, at + AT_ONCE).map((text) => redis.publish(channel, text)));
}

test("what is published comes to every kind of client as it was", async (t) => {
	const open = async (encoding, options) => {
		const client = await Conversation.open(Ws, nodes[0].port, encoding, options);
		await client.ask("subscribe", { channels: [channel] });
		return client;
	};
	const plain = await open("json", { perMessageDeflate: false });
	const deflated = await open("json", { perMessageDeflate: true });
	const packed = await open("msgpack");
	const streamed = new Queue();
	const stream = new EventSource(`${url}/v1/events?channels=${channel}`);
	own(() => stream.close());
	stream.onmessage = ({ data }) => streamed.put(data);
	await new Promise((resolve) => (stream.onopen = resolve));
	const publishing = publishAll();

	await t.test("WebSocket, JSON: byte for byte", () => expectVerbatim(plain));
	await t.test("WebSocket, JSON, permessage-deflate: byte for byte", () => expectVerbatim(deflated));
	await t.test("WebSocket, MessagePack: exactly equal", async () => {
		const { exact } = await packed.events(COUNT);
		exact.forEach(checkExact);
	});
	await t.test("Server-Sent Events: byte for byte but for line ends", async () => {
		for (let at = 0; at < COUNT; at++) {
			const data = await streamed.take(`event ${at}`);
			check("event.json", JSON.parse(data));
			assert.ok(data.endsWith(`"data":${texts[at].replace(/\r\n?/g, "\n")}}`), data);
		}
		stream.close();
	});
	await publishing;
	await t.test("history over MessagePack: exactly equal", async () => {
		const { exact } = await packed.history({ channels: [channel], limit: COUNT });
		assert.equal(exact.length, COUNT);
		exact.forEach(checkExact);
	});
	await t.test("history over HTTP: byte for byte", async () => {
		const { body } = await request(`${url}/v1/history?channels=${channel}&limit=${COUNT}`);
		const text = await body.text();
		check("http.json#/$defs/history", JSON.parse(text));
		assert.equal(takeVerbatim(text, texts), COUNT);
	});
	await t.test("history as NDJSON: a line each, byte for byte but for line ends", async () => {
		const { body } = await request(`${url}/v1/history?channels=${channel}`, { headers: { accept: "application/x-ndjson" } });
		const lines = (await body.text()).split("\n");
		assert.equal(lines.pop(), "");
		assert.equal(lines.length, COUNT);
		lines.forEach((line, at) => {
			check("http.json#/$defs/historyLine", JSON.parse(line));
			assert.ok(line.endsWith(`"data":${texts[at].replace(/[\r\n]/g, " ")}}`), line);
		});
	});
	for (const client of [plain, deflated, packed]) await client.close();
});

test("what clients publish comes out as they meant it", async (t) => {
	const own = "trace:own";
	const reader = await Conversation.open(Ws, nodes[0].port, "json");
	await reader.ask("subscribe", { channels: [own] });
	const dataOf = (message) => /"events":\[\{"id":"[^"]*","channel":"[^"]*","ts":\d+,"data":(.*)\}\]\}$/s.exec(message)?.[1];

	await t.test("POST of NDJSON: byte for byte", async () => {
		const lines = Array.from({ length: COUNT }, () => values.randomJson(random, false));
		const { statusCode, body } = await request(`${url}/v1/publish`, {
			method: "POST",
			headers: { "content-type": "application/x-ndjson" },
			body: lines.map((data) => `{"channel":"${own}","data":${data}}\n`).join(""),
		});
		assert.equal(statusCode, 200);
		const answers = (await body.text()).trim().split("\n").map((line) => JSON.parse(line));
		assert.equal(answers.length, COUNT);
		answers.forEach((answer) => check("reply.json#/$defs/publish", answer));
		for (let at = 0; at < COUNT; ) {
			const { texts: [message], events } = await reader.events(1);
			at += takeVerbatim(message, lines.slice(at, at + events.length));
		}
	});
	for (const encoding of ["json", "msgpack"]) {
		await t.test(`op publish over ${encoding}: exactly equal`, async () => {
			const writer = await Conversation.open(Ws, nodes[0].port, encoding);
			let taken = 0;
			for (let at = 0; at < COUNT / 5; at += AT_ONCE) {
				const part = trees.slice(at, at + AT_ONCE).map(values.publishable);
				const sent = encoding === "json" ? part.map((value) => JSON.parse(JSON.stringify(value, (_, v) => (typeof v === "bigint" ? Number(v) : v)))) : part;
				const queue = sent.values();
				const publishOneByOne = async () => {
					for (const data of queue) await writer.ask("publish", { channel: own, data });
				};
				await Promise.all(Array.from({ length: PUBLISHERS }, publishOneByOne));
				while (taken < at + sent.length) {
					const { events, texts: [message] } = await reader.events(1);
					for (const event of values.parseExactly(message).get("events")) values.assertSame(event.get("data"), sent[taken++ - at]);
					assert.ok(events.length > 1 || dataOf(message));
				}
			}
			await writer.close();
		});
	}
	await reader.close();
});

test("what is no JSON comes as text or in base64, in one event, whatever lines it has", async () => {
	const odd = "swarm:odd";
	const payloads = ["a\nb", "a\rb", "\n", "x\n\ndata: fake", "x\r\nid: 9", " leading", "\u2028", "id: 1\0", "event: gap\n\n", "NaN", "{\"a\":1,}", "",
		"[".repeat(130) + "]".repeat(130), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from([0xff, 0, 10, 13]), Buffer.from('{"s":"\xff"}', "latin1")];
	const client = await Conversation.open(Ws, nodes[0].port);
	const packed = await Conversation.open(Ws, nodes[0].port, "msgpack");
	for (const each of [client, packed]) await each.ask("subscribe", { channels: [odd] });
	const streamed = new Queue();
	const stream = new EventSource(`${url}/v1/events?channels=${odd}`);
	own(() => stream.close());
	for (const name of ["message", "gap", "notice", "fake"]) stream.addEventListener(name, (event) => streamed.put(event));
	await new Promise((resolve) => (stream.onopen = resolve));
	for (const payload of payloads) await redis.publish(odd, payload);
	const seen = await client.events(payloads.length), also = await packed.events(payloads.length);
	for (const [at, payload] of payloads.entries()) {
		const isText = typeof payload === "string";
		const { type, data, lastEventId } = await streamed.take(`event ${at}`);
		for (const event of [seen.events[at], also.events[at], JSON.parse(data)]) {
			assert.equal(event.format, isText ? "text" : "base64");
			if (isText) assert.equal(event.data, payload);
			else assert.deepEqual(Buffer.from(event.data, "base64"), payload);
			assert.equal(event.id, seen.events[at].id);
		}
		assert.equal(type, "message");
		assert.match(lastEventId, new RegExp(`^${seen.events[at].id}\\.[0-9a-f]{8}$`));
	}
	stream.close();
	for (const each of [client, packed]) await each.close();
});
