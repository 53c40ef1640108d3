// Through proxies with usual settings: WebSocket, Server-Sent Events and HTTP, longer in silence than the proxies' timeouts.
"use strict";
const test = require("node:test");
const assert = require("node:assert");
const Ws = require("ws");
const { request } = require("undici");
const { EventSource } = require("eventsource");
const { Conversation } = require("./lib/conversation");
const { check } = require("./lib/schema");
const { own, within, pass, Queue, Redis } = require("./lib/setup");

const SILENCE_MS = 7000; // the proxies give up after 5 s in which nothing comes
const redis = new Redis();
const proxies = process.env.TEST_PROXIES.split(" ").map((each) => each.split("="));

async function listen(port, channel) {
	const queue = new Queue();
	const source = new EventSource(`http://127.0.0.1:${port}/v1/events?channels=${channel}`);
	own(() => source.close());
	source.onmessage = ({ data }) => queue.put(JSON.parse(data));
	source.onerror = () => queue.put(new Error("the stream was lost"));
	await within("the stream opens", new Promise((resolve) => (source.onopen = resolve)));
	return { source, queue };
}

async function surviveSilence(name, port) {
	const channel = `trace:${name.replace(".", "-")}`, take = [], ends = [];
	for (const encoding of ["json", "msgpack"]) {
		const client = await Conversation.open(Ws, port, encoding);
		await client.ask("subscribe", { channels: [channel] });
		take.push(async () => (await client.events(1)).events[0]);
		ends.push(() => client.socket.terminate());
	}
	const { source, queue } = await listen(port, channel);
	take.push(() => queue.take("an event"));
	ends.push(() => source.close());
	const everyone = async (n) => {
		const begun = Date.now();
		await redis.publish(channel, `{"n":${n}}`);
		for (const event of await Promise.all(take.map((one) => one()))) assert.equal(event.data.n, n);
		assert.ok(Date.now() - begun < 1500, "nothing is held back");
	};
	await everyone(1);
	await pass(SILENCE_MS);
	await everyone(2);
	await everyone(3);
	for (const end of ends) end();
}

// Side by side: what takes the time is silence.
test("streams outlive silence and are not held back", () => Promise.all(proxies.map(([name, port]) => surviveSilence(name, port))));

for (const [name, port] of proxies) {
	const url = `http://127.0.0.1:${port}`;

	test(`HTTP comes through ${name}: errors, big answers, bodies of many lines`, async () => {
		const lines = Array.from({ length: 2000 }, (_, n) => JSON.stringify({ channel: `swarm:${name}`, data: { n, text: "x".repeat(300) } }));
		const published = await request(`${url}/v1/publish`, {
			method: "POST", headers: { "content-type": "application/x-ndjson" }, body: lines.map((line) => `${line}\n`).join("") });
		assert.equal(published.statusCode, 200);
		assert.equal((await published.body.text()).trim().split("\n").length, 2000);
		const whole = await request(`${url}/v1/history?session=${name}`, { headers: { accept: "application/x-ndjson" } });
		const events = (await whole.body.text()).trim().split("\n").map((line) => JSON.parse(line));
		assert.deepEqual(events.map((event) => event.data.n), Array.from({ length: 2000 }, (_, n) => n));
		const wrong = await request(`${url}/v1/history?limit=0`);
		assert.equal(wrong.statusCode, 400);
		check("http.json#/$defs/error", await wrong.body.json());
		const head = await request(`${url}/v1/history?session=${name}`, { method: "HEAD" });
		assert.equal(head.statusCode, 200);
		await head.body.dump();
	});

	test(`a slow client, a resume and a refused handshake through ${name}`, async () => {
		const channel = `agent:${name}`, text = "y".repeat(5000);
		const client = await Conversation.open(Ws, port);
		const { cursor } = await client.ask("subscribe", { channels: [channel] });
		client.socket.pause();
		await Promise.all(Array.from({ length: 2000 }, (_, n) => redis.publish(channel, `{"n":${n},"text":"${text}"}`)));
		client.socket.resume();
		const seen = (await client.events(2000)).events.map((event) => event.data.n);
		assert.deepEqual(seen, Array.from({ length: 2000 }, (_, n) => n));
		client.socket.terminate();
		const other = await Conversation.open(Ws, port, "msgpack");
		assert.equal((await other.ask("subscribe", { channels: [channel], since: cursor })).recovered, true);
		assert.equal((await other.events(2000)).events.length, 2000);
		await other.close();
		const refused = new Ws(`ws://127.0.0.1:${port}/v1/stream`, ["unknown"]);
		const answer = await within("a refusal", new Promise((resolve) => refused.on("unexpected-response", (_, response) => resolve(response))));
		assert.equal(answer.statusCode, 400);
		refused.on("error", () => {});
		refused.terminate();
	});
}
