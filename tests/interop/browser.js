// Chromium's own WebSocket, EventSource and fetch, in pages that a little server of this program gives, by the examples of
// docs/clients.md; the same examples in Node.
"use strict";
const test = require("node:test");
const assert = require("node:assert");
const http = require("node:http");
const { once } = require("node:events");
const vm = require("node:vm");
const Ws = require("ws");
const undici = require("undici");
const eventsource = require("eventsource");
const { Chromium } = require("./lib/chromium");
const { examples } = require("./lib/examples");
const { check } = require("./lib/schema");
const { nodes, own, Link, Redis, metric, until } = require("./lib/setup");

const pagePort = Number(process.env.TEST_PAGE_PORT);
const redis = new Redis();
const HTML = `<!doctype html><meta charset="utf-8"><title>tracegate</title><script>${examples}</script>`;
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
let chromium, page, link;

test.before(async () => {
	const server = http.createServer((request, answer) => answer.setHeader("content-type", "text/html").end(HTML));
	server.listen(pagePort, "127.0.0.1");
	await once(server, "listening");
	own(() => server.close());
	link = await Link.open(nodes[0].port);
	chromium = await Chromium.start();
	page = await chromium.open(`http://127.0.0.1:${pagePort}/`);
});
test.after(() => chromium?.stop());

/** Publishes numbers and cuts the link between them, to come back at the other node and again at the first. */
async function publishOverCuts(channel) {
	let n = 0;
	for (const target of [nodes[1].port, nodes[0].port]) {
		for (const end = n + 20; n < end; ) await redis.publish(channel, `{"n":${++n}}`);
		link.target = target;
		link.cut();
		for (const end = n + 20; n < end; ) await redis.publish(channel, `{"n":${++n}}`);
	}
	return n;
}

const isListened = () => until("someone is subscribed", async () => (await metric(nodes[0], "subscriptions")) > 0);
const isQuiet = () => until("nobody is subscribed", async () => (await metric(nodes[0], "subscriptions")) === 0);

/** What an example gives in Chromium until so many events came; begin is called in the page with what takes an event. */
async function seeInPage(begin, address, channel, count) {
	await page.run(`() => { window.events = []; window.stop = (${begin})(${JSON.stringify([address, channel])}, (event) => window.events.push(event)); }`);
	await isListened();
	assert.equal(await publishOverCuts(channel), count);
	await until("all events came", () => page.run(`() => window.events.length >= ${count}`));
	const events = await page.run("() => { window.stop(); return window.events; }");
	await isQuiet();
	return events;
}

function checkAll(events, count) {
	for (const event of events) check("event.json", event);
	assert.deepEqual(events.map((event) => event.data.n), range(1, count));
}

test("Chromium's WebSocket resumes, each event once", async () => {
	const begin = "([address, channel], put) => watch([`ws://${address}/v1/stream`], { channels: [channel] }, put)";
	checkAll(await seeInPage(begin, `127.0.0.1:${link.port}`, "trace:b1", 80), 80);
});

test("Chromium's EventSource resumes, each event once", async () => {
	const begin = "([address, channel], put) => listen(`http://${address}`, { channels: channel }, put)";
	checkAll(await seeInPage(begin, `127.0.0.1:${link.port}`, "trace:b2", 80), 80);
});

test("Chromium's fetch reads the past page by page, and publishes behind a preflight", async () => {
	const origin = `http://127.0.0.1:${nodes[0].port}`;
	const events = await page.run(
		"async (origin) => { const events = []; for await (const event of history(origin, { session: 'b1', limit: 30 })) events.push(event); return events; }", origin);
	checkAll(events, 80);
	const [status, body] = await page.run(
		`async (origin) => {
			const answer = await fetch(origin + "/v1/publish", {
				method: "POST",
				headers: { "content-type": "application/json" }, // which is why the browser asks first
				body: JSON.stringify({ channel: "trace:b3", data: { n: 1 } }),
			});
			return [answer.status, await answer.json()];
		}`, origin);
	assert.equal(status, 200);
	check("http.json#/$defs/published", body);
	assert.match(await page.run("async (origin) => { try { for await (const _ of history(origin, { limit: 0 })); } catch (error) { return error.message; } }", origin), /^bad_request: limit/);
});

test("Chromium speaks MessagePack frames and gets permessage-deflate where there is one", async () => {
	const [protocol, extensions, first] = await page.run(
		`(port) => new Promise((resolve) => {
			const socket = new WebSocket("ws://127.0.0.1:" + port + "/v1/stream", "tracegate.v1.msgpack");
			socket.binaryType = "arraybuffer";
			socket.onmessage = ({ data }) => { resolve([socket.protocol, socket.extensions, new Uint8Array(data)[0]]); socket.close(); };
			socket.onclose = ({ code }) => resolve(["closed", String(code), 0]);
		})`, nodes[0].port);
	assert.equal(protocol, "tracegate.v1.msgpack");
	assert.equal(first & 0xf0, 0x80); // a map
	assert.equal(extensions.includes("permessage-deflate"), Boolean(process.env.TEST_DEFLATE));
});

test("a page of another origin gets nothing", async () => {
	const stranger = await chromium.open(`http://localhost:${pagePort}/`);
	const seen = await stranger.run(
		`async (port) => {
			const socket = new Promise((resolve) => {
				const socket = new WebSocket("ws://127.0.0.1:" + port + "/v1/stream");
				socket.onopen = () => resolve("open");
				socket.onerror = () => resolve("error");
			});
			const source = new Promise((resolve) => {
				const source = new EventSource("http://127.0.0.1:" + port + "/v1/events");
				source.onopen = () => resolve("open");
				source.onerror = () => { resolve(source.readyState === EventSource.CLOSED ? "closed" : "again"); source.close(); };
			});
			const fetched = fetch("http://127.0.0.1:" + port + "/v1/sessions").then(() => "read", () => "error");
			return Promise.all([socket, source, fetched]);
		}`, nodes[0].port);
	assert.deepEqual(seen, ["error", "closed", "error"]);
});

for (const [name, WebSocket] of [["ws", Ws], ["undici", undici.WebSocket]]) {
	test(`the examples work in Node with ${name}`, async () => {
		const context = vm.createContext({ WebSocket, EventSource: eventsource.EventSource, fetch: undici.fetch, URLSearchParams, setTimeout, clearTimeout, console });
		vm.runInContext(examples, context);
		const both = { watch: [], listen: [] }, channel = `trace:n-${name}`, address = `127.0.0.1:${link.port}`;
		const stops = [
			context.watch([`ws://${address}/v1/stream`], { channels: [channel] }, (event) => both.watch.push(event)),
			context.listen(`http://${address}`, { channels: channel }, (event) => both.listen.push(event)),
		];
		await until("both are subscribed", async () => (await metric(nodes[0], "subscriptions")) === 2);
		const count = await publishOverCuts(channel);
		await until("all events came", () => Object.values(both).every((events) => events.length >= count));
		for (const stop of stops) stop();
		const past = [];
		for await (const event of context.history(`http://${address}`, { session: `n-${name}`, limit: 33 })) past.push(event);
		for (const events of [...Object.values(both), past]) checkAll(events, count);
		await isQuiet();
	});
}
