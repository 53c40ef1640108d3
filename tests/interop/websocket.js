// ws and undici's WebSocket, as they are, in both encodings.
"use strict";
const test = require("node:test");
const assert = require("node:assert");
const { once } = require("node:events");
const Ws = require("ws");
const undici = require("undici");
const { Conversation } = require("./lib/conversation");
const { nodes, Redis, within, pass } = require("./lib/setup");

const clients = { ws: Ws, undici: undici.WebSocket };
const port = nodes[0].port;
const redis = new Redis();
let names = 0;
const newSession = () => `w${process.pid}-${++names}`;
const payload = (session, n) => `{"sessionId":"${session}","type":"tool.call","n":${n}}`;
const numbers = (events) => events.map((event) => event.data.n);

for (const [name, Socket] of Object.entries(clients)) {
	for (const encoding of ["json", "msgpack"]) {
		test(`${name} over ${encoding}`, async (t) => {
			const client = await Conversation.open(Socket, port, encoding);
			const session = newSession();

			await t.test("gets live events, filtered", async () => {
				const { sub, recorded } = await client.ask("subscribe", {
					channels: ["trace:*"],
					filter: { session: [session], where: [{ path: "/n", op: ">", value: 1 }] },
				});
				assert.equal(recorded, true);
				for (let n = 1; n <= 3; n++) assert.equal(await redis.publish(`trace:${session}`, payload(session, n)), 2);
				const { events } = await client.events(2);
				assert.deepEqual(numbers(events), [2, 3]);
				assert.equal(events[0].channel, `trace:${session}`);
				await client.ask("unsubscribe", { sub });
			});

			await t.test("resumes from its cursor", async () => {
				const first = await client.ask("subscribe", { channels: [`trace:${session}`] });
				for (let n = 4; n <= 6; n++) await redis.publish(`trace:${session}`, payload(session, n));
				await client.events(3);
				const other = await Conversation.open(Socket, nodes[1].port, encoding);
				const again = await other.ask("subscribe", { channels: [`trace:${session}`], since: first.cursor });
				assert.equal(again.recovered, true);
				assert.deepEqual(numbers((await other.events(3)).events), [4, 5, 6]);
				await redis.publish(`trace:${session}`, payload(session, 7));
				assert.deepEqual(numbers((await other.events(1)).events), [7]);
				await other.close();
			});

			await t.test("reads history in chunks and pages, either way", async () => {
				const all = await client.history({ session, chunk: 2 });
				assert.deepEqual(numbers(all.events), [1, 2, 3, 4, 5, 6, 7]);
				assert.equal(all.next, null);
				const page = await client.history({ session, limit: 3, reverse: true });
				assert.deepEqual(numbers(page.events), [7, 6, 5]);
				const rest = await client.history({ session, after: page.next, reverse: true });
				assert.deepEqual(numbers(rest.events), [4, 3, 2, 1]);
			});

			await t.test("publishes, and what it publishes is in the state", async () => {
				const { id } = await client.ask("publish", { channel: `agent:${session}`, data: { agentId: "a", state: { step: 1 } } });
				const { at, state, patch } = await client.ask("state", { session, at: id, diffFrom: "earliest" });
				assert.equal(at, id);
				assert.deepEqual(state.agents.a.value, { step: 1 });
				assert.deepEqual(patch.agents.a.value, { step: 1 });
			});

			await t.test("replays, steps back and stops", async () => {
				const { replay } = await client.ask("replay", { session, channels: ["trace:*"], speed: "max" });
				const played = await client.events(7);
				assert.deepEqual(numbers(played.events.filter((event) => event.channel.startsWith("trace:"))).slice(-7), [1, 2, 3, 4, 5, 6, 7]);
				await client.push("replayEnd");
				const { state, events } = await client.ask("control", { replay, do: "step", count: -2 });
				assert.equal(state, "paused");
				assert.equal(events, 2);
				assert.equal((await client.events(1)).events.length, 1);
				await client.ask("control", { replay, do: "stop" });
				await assert.rejects(client.ask("control", { replay, do: "play" }), { code: "no_such_replay" });
			});

			await t.test("takes an event of a MiB, and its own of 60 KiB come back", async () => {
				const big = newSession();
				await client.ask("subscribe", { channels: [`swarm:${big}`] });
				const text = "ü😀x".repeat(150000);
				await redis.publish(`swarm:${big}`, JSON.stringify({ text }));
				assert.equal((await client.events(1)).events[0].data.text, text);
				const own = "y".repeat(60 * 1024);
				await client.ask("publish", { channel: `swarm:${big}`, data: own });
				assert.equal((await client.events(1)).events[0].data, own);
			});

			await t.test("learns what is wrong with a request", async () => {
				await assert.rejects(client.ask("subscribe", { channels: ["cats:*"] }), { code: "bad_filter", temporary: false });
				assert.equal((await client.request("frobnicate", {})).error.code, "unknown_op");
				assert.equal((await client.request("history", { limit: 0 })).error.code, "bad_request");
			});

			await t.test("closes cleanly", async () => {
				const { code, wasClean } = await client.close();
				assert.equal(code, 1000);
				if (wasClean !== undefined) assert.equal(wasClean, true);
			});

			await t.test("is closed with 1009 for a message that is too long", async () => {
				const loud = await Conversation.open(Socket, port, encoding);
				loud.socket.send(loud.encoding.pack({ id: 1, op: "publish", channel: "trace:s", data: "z".repeat(70000) }));
				const { code } = await within("the close", loud.closed);
				assert.equal(code, 1009);
			});

			await t.test("is closed with 1003 for a frame of the other kind", async () => {
				const odd = await Conversation.open(Socket, port, encoding);
				odd.socket.send(encoding === "json" ? new Uint8Array([0x80]) : "{}");
				assert.equal((await within("the close", odd.closed)).code, 1003);
			});
		});
	}
}

test("clients stay for as long as they answer pings", async () => {
	const stay = async (Socket, encoding) => {
		const quiet = await Conversation.open(Socket, port, encoding);
		assert.equal(quiet.welcome.heartbeatMs, 2000);
		await pass(3200); // a ping, and the half of the interval after which a silent client is closed
		const { now } = await quiet.ask("ping");
		assert.ok(Math.abs(now - Date.now()) < 5000);
		await quiet.close();
	};
	await Promise.all(Object.values(clients).flatMap((Socket) => ["json", "msgpack"].map((encoding) => stay(Socket, encoding))));
});

test("ws sees pings and pongs; without answers it is closed with 4501", async () => {
	const socket = new Ws(`ws://127.0.0.1:${port}/ws`, { autoPong: false });
	const closed = once(socket, "close");
	await within("open", once(socket, "open"));
	const pong = once(socket, "pong");
	socket.ping("hello");
	assert.equal(String((await within("a pong", pong))[0]), "hello");
	await within("a ping of the node", once(socket, "ping"));
	assert.equal((await within("the close", closed))[0], 4501);
});

test("a client without a subprotocol speaks JSON, and one that is unknown is refused", async () => {
	const socket = new Ws(`ws://127.0.0.1:${port}/ws`);
	const [data, isBinary] = await within("the welcome", once(socket, "message"));
	assert.equal(isBinary, false);
	assert.equal(JSON.parse(data).op, "welcome");
	socket.terminate();
	const other = new Ws(`ws://127.0.0.1:${port}/ws`, ["graphql-ws"]);
	const [, answer] = await within("a refusal", once(other, "unexpected-response"));
	assert.equal(answer.statusCode, 400);
	other.on("error", () => {});
	other.terminate();
});

test("permessage-deflate is what a client that offers it gets, and no one else", async () => {
	for (const encoding of ["json", "msgpack"]) {
		const offers = [false, true, { clientNoContextTakeover: true, serverNoContextTakeover: true }, { serverMaxWindowBits: 10 }];
		for (const perMessageDeflate of offers) {
			const session = newSession();
			const client = await Conversation.open(Ws, port, encoding, { perMessageDeflate });
			const isOn = client.socket.extensions.includes("permessage-deflate");
			assert.equal(isOn, Boolean(perMessageDeflate && process.env.TEST_DEFLATE), JSON.stringify(perMessageDeflate));
			await client.ask("subscribe", { channels: [`trace:${session}`] });
			for (const size of [1, 900, 70000]) {
				const text = payload(session, 1).replace("}", `,"text":"${"tool.call ".repeat(size)}"}`);
				for (let n = 0; n < 5; n++) await redis.publish(`trace:${session}`, text);
				for (const event of (await client.events(5)).events) assert.deepEqual(event.data, JSON.parse(text));
			}
			const { id } = await client.ask("publish", { channel: `trace:${session}`, data: "compressible ".repeat(400) });
			assert.equal((await client.events(1)).events[0].id, id);
			await client.close();
		}
	}
});

test("the node closes with 1001 or 1012 when it is told to stop, behind the notice", async () => {
	const client = await Conversation.open(Ws, nodes[1].port);
	process.kill(nodes[1].pid, "SIGTERM");
	const { code, reconnectInMs } = await client.push("notice");
	assert.equal(code, "draining");
	assert.ok(reconnectInMs >= 0);
	assert.ok([1001, 1012].includes((await within("the close", client.closed)).code));
});
