// What every program here is given: the nodes, Redis, and how to wait. All waits have a deadline.
"use strict";
const net = require("node:net");
const test = require("node:test");
const { once } = require("node:events");

const DEADLINE_MS = 20000;
const nodes = JSON.parse(process.env.TEST_NODES || "[]"); // {port, admin, pid}
const redisPort = Number(process.env.TEST_REDIS || 0);

/** The promise, or an error that says what was waited for. */
function within(what, promise, ms = DEADLINE_MS) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${typeof what === "function" ? what() : what}`)), ms);
	});
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Lets a stretch of time go by that is part of what is tested. */
function pass(ms) {
	return new Promise((resolve) => setTimeout(resolve, ms));
}

async function until(what, condition) {
	const end = Date.now() + DEADLINE_MS;
	while (!(await condition())) {
		if (Date.now() > end) throw new Error(`not within ${DEADLINE_MS} ms: ${what}`);
		await pass(10);
	}
}

const owned = new Set();

/** What else would keep the program alive is ended behind the last test, whatever became of the tests. */
function own(end) {
	owned.add(end);
}

test.after(() => {
	for (const end of owned) end();
});

/** What a node counts: tracegate_<name>. */
async function metric(node, name) {
	const page = await (await fetch(`http://127.0.0.1:${node.admin}/metrics`)).text();
	const line = page.split("\n").find((text) => text.startsWith(`tracegate_${name} `));
	if (!line) throw new Error(`no metric ${name}`);
	return Number(line.split(" ")[1]);
}

/** Things in their order, for those who wait for one that they accept. */
class Queue {
	constructor() {
		this.items = [];
		this.waiting = [];
	}

	put(item) {
		this.items.push(item);
		for (const wake of this.waiting.splice(0)) wake();
	}

	/** Takes the first item that is accepted; those before it stay. An Error that was put is thrown. */
	take(what, accept = () => true, ms = DEADLINE_MS) {
		const look = async () => {
			for (;;) {
				const at = this.items.findIndex((item) => item instanceof Error || accept(item));
				if (at >= 0 && !(this.items[at] instanceof Error)) return this.items.splice(at, 1)[0];
				if (at >= 0) throw this.items[at];
				await new Promise((resolve) => this.waiting.push(resolve));
			}
		};
		return within(() => `${what}; there are ${JSON.stringify(this.items).slice(0, 600)}`, look(), ms);
	}
}

/** Publishes as any publisher does: PUBLISH, and nothing else. */
class Redis {
	constructor() {
		this.socket = net.connect(redisPort, "127.0.0.1");
		this.socket.setNoDelay(true);
		this.waiting = [];
		own(() => this.socket.destroy());
		let rest = "";
		this.socket.on("data", (data) => {
			const lines = (rest + data).split("\r\n");
			rest = lines.pop();
			for (const line of lines) this.waiting.shift()(line);
		});
	}

	ask(...words) {
		const parts = [`*${words.length}\r\n`];
		for (const word of words) {
			const bytes = Buffer.from(word);
			parts.push(`$${bytes.length}\r\n`, bytes, "\r\n");
		}
		this.socket.write(Buffer.concat(parts.map((part) => Buffer.from(part))));
		return within(`the answer of Redis to ${words[0]}`, new Promise((resolve) => this.waiting.push(resolve)));
	}

	/** Resolves to how many subscribers (nodes) were told. */
	async publish(channel, payload) {
		const line = await this.ask("PUBLISH", channel, payload);
		if (line[0] !== ":") throw new Error(line);
		return Number(line.slice(1));
	}

}

/** A TCP hop in front of a node, for clients that know one address only: it can be cut, and lead to another node. */
class Link {
	static async open(port) {
		const link = new Link();
		link.target = port;
		link.pairs = new Set();
		link.server = net.createServer({ allowHalfOpen: true }, (socket) => link.join(socket));
		link.server.listen(0, "127.0.0.1");
		await once(link.server, "listening");
		link.port = link.server.address().port;
		own(() => link.close());
		return link;
	}

	join(near) {
		const far = net.connect({ port: this.target, host: "127.0.0.1", allowHalfOpen: true });
		const pair = { near, far };
		this.pairs.add(pair);
		near.setNoDelay(true);
		far.setNoDelay(true);
		const end = () => {
			near.destroy();
			far.destroy();
			this.pairs.delete(pair);
		};
		for (const socket of [near, far]) socket.on("error", end).on("close", end);
		near.pipe(far);
		far.pipe(near);
	}

	/** Ends all connections, as a network does: with resets. */
	cut() {
		for (const { near, far } of this.pairs) {
			near.resetAndDestroy();
			far.resetAndDestroy();
		}
	}

	close() {
		this.cut();
		this.server.close();
	}
}

/** Numbers that repeat from run to run (mulberry32): below(n) is a whole number from 0 to n - 1. */
function randomFrom(seed) {
	let state = seed >>> 0;
	const next = () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let t = Math.imul(state ^ (state >>> 15), 1 | state);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return (t ^ (t >>> 14)) >>> 0;
	};
	return { below: (n) => next() % n, pick: (list) => list[next() % list.length], word: next };
}

module.exports = { own, nodes, redisPort, within, pass, until, metric, Queue, Redis, Link, randomFrom, DEADLINE_MS };
