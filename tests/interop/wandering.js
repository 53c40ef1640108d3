// Clients that are slow, that drop and come back, and whose node is killed, in every encoding.
"use strict";
const test = require("node:test");
const assert = require("node:assert");
const Ws = require("ws");
const undici = require("undici");
const { Conversation } = require("./lib/conversation");
const { nodes, Redis, metric, until, within, pass, randomFrom } = require("./lib/setup");

const redis = new Redis();
const COUNT = 2500; // of 8 KB: more than what kernels keep for a client that does not read
const ENCODINGS = ["json", "msgpack"];
const range = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
let names = 0;
const newSession = () => `v${process.pid}-${++names}`;

async function publish(session, from, to, text = "") {
	const payload = (n) => `{"sessionId":"${session}","agentId":"a${n % 3}","n":${n},"text":"${text}"}`;
	await Promise.all(range(from, to).map((n) => redis.publish(`trace:${session}`, payload(n))));
}

/** Reads on until the number came; gives all numbers. */
async function readTo(client, last) {
	const numbers = [];
	while (numbers.at(-1) !== last) {
		const batch = await client.events(1);
		numbers.push(...batch.events.map((event) => event.data.n));
		client.cursor = batch.cursor;
	}
	return numbers;
}

async function openSlow(encoding, slow) {
	const session = newSession();
	const client = await Conversation.open(Ws, nodes[0].port, encoding, { perMessageDeflate: false });
	await client.ask("subscribe", { channels: [`trace:${session}`], slow });
	client.socket.pause();
	for (let from = 1; from <= COUNT; from += 250) await publish(session, from, from + 249, "x".repeat(8000));
	return { client, session };
}

for (const encoding of ENCODINGS) {
	test(`a client that stops reading ${encoding} loses nothing`, async () => {
		const before = await metric(nodes[0], "events_caught_up_total");
		const { client, session } = await openSlow(encoding, "catchup");
		client.socket.resume();
		assert.deepEqual(await readTo(client, COUNT), range(1, COUNT));
		assert.ok((await metric(nodes[0], "events_caught_up_total")) > before, "it was slow enough");
		await until("it is live again", async () => (await metric(nodes[0], "subscriptions_catching_up")) === 0);
		await publish(session, COUNT + 1, COUNT + 1);
		assert.deepEqual(await readTo(client, COUNT + 1), [COUNT + 1]);
		await client.close();
	});

	test(`a slow client of ${encoding} that wants it so is told what it lost`, async () => {
		const { client, session } = await openSlow(encoding, "drop");
		client.socket.resume();
		await publish(session, COUNT + 1, COUNT + 1);
		const numbers = await readTo(client, COUNT + 1);
		const { dropped, reason } = await client.push("gap");
		assert.equal(reason, "slow");
		assert.ok(numbers.length <= COUNT && dropped > 0);
		assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b));
		await client.close();
	});

	test(`a slow client of ${encoding} gets the newest of each agent where it conflates`, async () => {
		const { client } = await openSlow(encoding, "conflate");
		client.socket.resume();
		const seen = new Set();
		while (![COUNT - 2, COUNT - 1, COUNT].every((n) => seen.has(n))) {
			for (const event of (await client.events(1)).events) seen.add(event.data.n);
		}
		assert.ok(seen.size < COUNT);
		await client.close();
	});

	test(`a slow client of ${encoding} is closed with 4502 where it says so`, async () => {
		const { client } = await openSlow(encoding, "disconnect");
		client.socket.resume();
		assert.equal((await within("the close", client.closed)).code, 4502);
	});

	test(`a client of ${encoding} that drops again and again sees each event once`, async () => {
		const session = newSession(), random = randomFrom(7), seen = [];
		let since = "now";
		const wish = () => ({ channels: [`trace:${session}`], since });
		let client = await Conversation.open(Ws, nodes[0].port, encoding);
		since = (await client.ask("subscribe", wish())).cursor;
		const publishing = (async () => {
			for (let from = 1; from <= 2000; from += 20) {
				await publish(session, from, from + 19);
				await pass(5);
			}
		})();
		for (let visit = 0; seen.at(-1) !== 2000; visit++) {
			for (let batches = 1 + random.below(4); batches && seen.at(-1) !== 2000; batches--) {
				const { events, cursor } = await client.events(1);
				seen.push(...events.map((event) => event.data.n));
				since = cursor;
			}
			client.socket.terminate();
			client = await Conversation.open(visit % 2 ? Ws : undici.WebSocket, nodes[visit % 2].port, encoding);
			client.socket.terminate ??= client.socket.close;
			assert.equal((await client.ask("subscribe", wish())).recovered, true);
		}
		await publishing;
		assert.deepEqual(seen, range(1, 2000));
		await client.close();
	});
}

test("when their node is killed clients go on at another, each event once", async () => {
	const session = newSession(), visitors = [];
	for (const Socket of [Ws, undici.WebSocket]) {
		for (const encoding of ENCODINGS) {
			const client = await Conversation.open(Socket, nodes[0].port, encoding);
			await client.ask("subscribe", { channels: [`trace:${session}`] });
			visitors.push({ Socket, encoding, client });
		}
	}
	await publish(session, 1, 100);
	for (const visitor of visitors) visitor.seen = await readTo(visitor.client, 100);
	process.kill(nodes[0].pid, "SIGKILL");
	await publish(session, 101, 200);
	for (const { Socket, encoding, client, seen } of visitors) {
		await within("the connection is lost", client.closed);
		const other = await Conversation.open(Socket, nodes[1].port, encoding);
		await other.ask("subscribe", { channels: [`trace:${session}`], since: client.cursor });
		seen.push(...(await readTo(other, 200)));
		assert.deepEqual(seen, range(1, 200), encoding);
		await other.close();
	}
});
