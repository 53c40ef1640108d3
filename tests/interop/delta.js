// Fossil deltas against the decoder and encoder of fossil-delta: random pairs both ways, and subscriptions in both encodings.
"use strict";
const test = require("node:test");
const assert = require("node:assert");
const { spawn } = require("node:child_process");
const { pathToFileURL } = require("node:url");
const Ws = require("ws");
const { Conversation } = require("./lib/conversation");
const { nodes, own, within, Redis, randomFrom } = require("./lib/setup");
const { randomJson } = require("./lib/values");

const PAIRS = 10000;
const random = randomFrom(11);
const redis = new Redis();
const NONE = 0xffffffff;
let fossil;
test.before(async () => (fossil = await import(pathToFileURL(require.resolve("fossil-delta")))));

/** Feeds pairs of texts to a mode of our tool: what it makes of each, null where there is none. */
async function useTool(mode, pairs) {
	const tool = spawn(process.env.TEST_FOSSIL_TOOL, [mode], { stdio: ["pipe", "pipe", "inherit"] });
	own(() => tool.kill());
	const parts = [];
	tool.stdout.on("data", (part) => parts.push(part));
	const ended = new Promise((resolve) => tool.on("close", resolve));
	for (const pair of pairs) {
		for (const text of pair) {
			const length = Buffer.alloc(4);
			length.writeUInt32BE(text.length);
			tool.stdin.write(length);
			tool.stdin.write(text);
		}
	}
	tool.stdin.end();
	assert.equal(await within("the tool", ended), 0);
	const all = Buffer.concat(parts), made = [];
	for (let at = 0; at < all.length; ) {
		const length = all.readUInt32BE(at);
		at += 4;
		made.push(length === NONE ? null : all.subarray(at, (at += length)));
	}
	assert.equal(made.length, pairs.length);
	return made;
}

/** A text, and what became of it by a few edits: what comes after each other on a channel. */
function randomPair() {
	const points = Array.from({ length: random.below(400) }, () => random.pick(["a", "b", " ", "\"", "ü", "€", "😀", "{", "0"]));
	const base = points.join("") + randomJson(random, false), target = [...base];
	for (let edits = random.below(6); edits; edits--) {
		const at = random.below(target.length + 1), kind = random.below(3);
		if (kind === 0) target.splice(at, random.below(30));
		else if (kind === 1) target.splice(at, 0, ...randomJson(random, false));
		else target.push(...target.slice(at, at + random.below(200)));
	}
	return [Buffer.from(base), Buffer.from(target.join(""))];
}

test("fossil-delta applies our deltas, and ours applies its", async () => {
	const pairs = Array.from({ length: PAIRS }, randomPair);
	for (const mode of ["encode", "text"]) {
		const deltas = await useTool(mode, pairs);
		let count = 0;
		deltas.forEach((delta, at) => {
			if (!delta) return;
			const [base, target] = pairs[at];
			assert.ok(delta.length < target.length);
			if (mode === "text") new TextDecoder("utf-8", { fatal: true }).decode(delta);
			assert.ok(Buffer.from(fossil.applyDelta(base, delta)).equals(target));
			count++;
		});
		assert.ok(count > PAIRS / 2, `${count} deltas`);
	}
	const theirs = pairs.map(([base, target]) => [base, Buffer.from(fossil.createDelta(base, target))]);
	const applied = await useTool("apply", theirs);
	applied.forEach((text, at) => assert.ok(text && text.equals(pairs[at][1])));
});

test("what is no delta for its base is refused by both", async () => {
	const [base, target] = [Buffer.from("the quick brown fox jumps over it ".repeat(9)), Buffer.from("the quick red fox jumps over it ".repeat(9))];
	const delta = Buffer.from(fossil.createDelta(base, target));
	const wrong = [];
	for (let at = 0; at < delta.length; at++) {
		const other = Buffer.from(delta);
		other[at] ^= 1;
		wrong.push([base, other]);
	}
	const applied = await useTool("apply", wrong);
	for (const text of applied) assert.ok(text === null || text.equals(target));
});

/** Keeps the text of each channel, as a client does. Gives the text of an event. */
class Texts {
	constructor() {
		this.last = new Map();
		this.deltas = 0;
	}

	read(event) {
		const bytes = (value) => (typeof value === "string" ? Buffer.from(value) : Buffer.from(value));
		let text;
		if (event.full !== undefined) text = bytes(event.full);
		else {
			this.deltas++;
			text = Buffer.from(fossil.applyDelta(this.last.get(event.channel), bytes(event.delta)));
		}
		this.last.set(event.channel, text);
		return text.toString();
	}
}

for (const encoding of ["json", "msgpack"]) {
	test(`a subscription with deltas over ${encoding} gives each text, after a resync and a reconnect too`, async () => {
		const published = [], texts = new Texts();
		const wish = { channels: [`agent:d-${encoding}-*`], delta: "fossil" };
		const state = { sessionId: "d1", progress: 0, words: "ü😀 some state that changes little ".repeat(10) };
		const publish = async (count) => {
			for (let i = 0; i < count; i++) {
				state.progress++;
				if (random.below(4) === 0) state[`k${random.below(9)}`] = randomJson(random, false);
				const text = JSON.stringify(state);
				published.push(text);
				await redis.publish(`agent:d-${encoding}-${random.below(3)}`, text);
			}
		};
		const take = async (client, reader, count) => {
			const { exact, cursor } = await client.events(count);
			for (const event of exact) assert.equal(reader.read(event), published.shift());
			return { exact, cursor };
		};
		const client = await Conversation.open(Ws, nodes[0].port, encoding);
		const { sub } = await client.ask("subscribe", wish);
		await publish(300);
		await take(client, texts, 300);
		assert.ok(texts.deltas > 200, `${texts.deltas} of 300 came as deltas`);

		await client.ask("resync", { sub });
		texts.last.clear();
		await publish(50);
		const { cursor } = await take(client, texts, 50);
		client.socket.terminate();

		const other = await Conversation.open(Ws, nodes[1].port, encoding), fresh = new Texts();
		await publish(50);
		await other.ask("subscribe", { ...wish, since: cursor });
		await take(other, fresh, 50);
		await publish(50);
		await take(other, fresh, 50);
		assert.deepEqual(published, []);
		await other.close();
	});
}
