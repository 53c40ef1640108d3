// The protocol over any WebSocket that has the interface of browsers. Every message is held to its schema, both ways.
"use strict";
const assert = require("node:assert");
const { encode, decode } = require("@msgpack/msgpack");
const { own, Queue, within } = require("./setup");
const { check, checkFromNode } = require("./schema");

class Refused extends Error {
	constructor(error) {
		super(`${error.code}: ${error.message}`);
		Object.assign(this, error);
	}
}

/** The value as JSON has it: no BigInt, no bytes. */
function plain(value) {
	if (typeof value === "bigint") return Number(value);
	if (value instanceof Uint8Array) return Buffer.from(value).toString();
	if (Array.isArray(value)) return value.map(plain);
	if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)]));
	return value;
}

// What came: {message: as JSON has it, exact: as the decoder gave it, text: the frame of a JSON connection}.
const encodings = {
	json: {
		subprotocol: "tracegate.v1.json",
		pack: (message) => JSON.stringify(message),
		unpack(data) {
			assert.equal(typeof data, "string");
			const message = JSON.parse(data);
			return { message, exact: message, text: data };
		},
	},
	msgpack: {
		subprotocol: "tracegate.v1.msgpack",
		pack: (message) => encode(message, { useBigInt64: true, maxDepth: 200 }),
		unpack(data) {
			assert.ok(data instanceof ArrayBuffer, "a binary frame");
			const exact = decode(new Uint8Array(data), { useBigInt64: true });
			return { message: plain(exact), exact };
		},
	},
};

class Conversation {
	/** Opens and takes the welcome. options go to the constructor of the WebSocket. */
	static async open(Socket, port, encoding = "json", options = undefined) {
		const url = `ws://127.0.0.1:${port}/v1/stream`;
		const conversation = new Conversation(new Socket(url, [encodings[encoding].subprotocol], options), encoding);
		conversation.welcome = (await conversation.queue.take("the welcome")).message;
		assert.equal(conversation.welcome.op, "welcome");
		assert.equal(conversation.socket.protocol, encodings[encoding].subprotocol);
		return conversation;
	}

	constructor(socket, encoding) {
		this.socket = socket;
		this.encoding = encodings[encoding];
		this.queue = new Queue();
		this.ops = new Map();
		this.lastId = 0;
		socket.binaryType = "arraybuffer";
		this.closed = new Promise((resolve) => socket.addEventListener("close", resolve));
		socket.addEventListener("error", () => {});
		own(() => (socket.terminate ? socket.terminate() : socket.close()));
		this.closed.then(({ code }) => this.queue.put(new Error(`the node closed with ${code}`)));
		socket.addEventListener("message", ({ data }) => this.receive(data));
	}

	receive(data) {
		try {
			const what = this.encoding.unpack(data);
			checkFromNode(what.message, this.ops);
			this.queue.put(what);
		} catch (error) {
			this.queue.put(error);
		}
	}

	/** Sends a request as it is and gives its reply, ok or error. */
	async request(op, fields) {
		const id = ++this.lastId;
		this.ops.set(id, op);
		this.socket.send(this.encoding.pack({ id, op, ...fields }));
		return (await this.queue.take(`the reply to ${op}`, ({ message }) => !message.op && message.id === id)).message;
	}

	/** The ok of a request that keeps to the schema. */
	async ask(op, fields = {}) {
		check(`request.json#/$defs/${op}`, plain({ id: 1, op, ...fields }));
		const { ok, error } = await this.request(op, fields);
		if (error) throw new Refused(error);
		return ok;
	}

	/** The next message with that op. */
	async push(op, ms) {
		return (await this.queue.take(`a message ${op}`, ({ message }) => message.op === op, ms)).message;
	}

	/** The next batches, until there are so many events: {events, exact, texts, cursor}. */
	async events(count) {
		const got = { events: [], exact: [], texts: [], cursor: null };
		while (got.events.length < count) {
			const { message, exact, text } = await this.queue.take(
				`${count} events, ${got.events.length} came`, (item) => item.message.op === "events");
			got.events.push(...message.events);
			got.exact.push(...exact.events);
			got.texts.push(text);
			got.cursor = message.cursor;
		}
		return got;
	}

	/** All chunks of a request for history, and its ok. */
	async history(fields) {
		const ok = await this.ask("history", fields);
		const events = [], exact = [];
		for (let seq = 0; events.length < ok.events; seq++) {
			const chunk = await this.queue.take("a chunk", ({ message }) => message.op === "chunk" && message.id === this.lastId);
			assert.equal(chunk.message.seq, seq);
			events.push(...chunk.message.events);
			exact.push(...chunk.exact.events);
		}
		return { ...ok, count: ok.events, events, exact };
	}

	async close() {
		this.socket.close(1000);
		return within("the close", this.closed);
	}
}

module.exports = { Conversation, Refused, plain, encodings };
