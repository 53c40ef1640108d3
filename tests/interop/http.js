// The HTTP interface and Server-Sent Events, by undici and eventsource: negotiation, methods, fields, errors, resuming.
"use strict";
const test = require("node:test");
const assert = require("node:assert");
const { request, fetch, Agent } = require("undici");
const { EventSource } = require("eventsource");
const { check } = require("./lib/schema");
const { own, nodes, within, pass, until, metric, Queue, Redis, Link } = require("./lib/setup");

const [{ port, admin }] = nodes;
const url = `http://127.0.0.1:${port}`;
const redis = new Redis();
const ALLOWED = "https://app.example.com"; // cors.origins of the nodes

const GETS = {
	"/v1/history?session=h1": ["application/json", "history"],
	"/v1/sessions": ["application/json", "sessions"],
	"/v1/state?session=h1": ["application/json", "state"],
};

/** An answer, its body read; what holds for each of them is checked. */
async function ask(target, options = {}) {
	const { statusCode, headers, body } = await request(url + target, options);
	const text = await body.text();
	assert.equal(headers["cache-control"], "no-store", target);
	for (const absent of ["etag", "last-modified", "expires"]) assert.equal(headers[absent], undefined, target);
	if (statusCode < 400) assert.match(headers.vary, /\bOrigin\b/, target);
	if (statusCode >= 400 && options.method !== "HEAD") {
		assert.equal(headers["content-type"], "application/json", `${target} ${statusCode}`);
		check("http.json#/$defs/error", JSON.parse(text));
	}
	return { status: statusCode, headers, text, code: statusCode >= 400 && text ? JSON.parse(text).error.code : undefined };
}

test.before(async () => {
	for (let n = 1; n <= 5; n++) {
		const { status, text } = await ask("/v1/publish", {
			method: "POST",
			headers: { "content-type": "application/json; charset=utf-8" },
			body: JSON.stringify({ channel: "agent:h1", data: { sessionId: "h1", agentId: "a", type: "step", n } }),
		});
		assert.equal(status, 200);
		check("http.json#/$defs/published", JSON.parse(text));
	}
});

for (const [target, [type, schema]] of Object.entries(GETS)) {
	test(`GET and HEAD of ${target}`, async () => {
		for (const accept of [undefined, "*/*", "application/*", "application/json", "text/html, application/json;q=0.1"]) {
			const { status, headers, text } = await ask(target, { headers: accept ? { accept } : {} });
			assert.equal(status, 200, accept);
			assert.equal(headers["content-type"], type);
			check(`http.json#/$defs/${schema}`, JSON.parse(text));
		}
		for (const accept of ["text/html", "application/json;q=0", "image/*, text/*"]) {
			const { status, code } = await ask(target, { headers: { accept } });
			assert.deepEqual([status, code], [406, "not_acceptable"], accept);
		}
		const head = await ask(target, { method: "HEAD" });
		assert.equal(head.status, 200);
		assert.equal(head.text, "");
		assert.equal(head.headers["content-type"], type);
	});
}

test("methods that a path does not know are 405, with Allow; OPTIONS says which it knows", async () => {
	const paths = { "/v1/history": "GET, HEAD, OPTIONS", "/v1/sessions": "GET, HEAD, OPTIONS", "/v1/state": "GET, HEAD, OPTIONS",
		"/v1/events": "GET, HEAD, OPTIONS", "/v1/publish": "POST, OPTIONS" };
	for (const [path, allow] of Object.entries(paths)) {
		for (const method of ["DELETE", "PUT", "PATCH", path === "/v1/publish" ? "GET" : "POST"]) {
			const { status, headers, code } = await ask(path, { method });
			assert.deepEqual([status, code, headers.allow], [405, "method_not_allowed", allow], `${method} ${path}`);
		}
		const { status, headers, text } = await ask(path, { method: "OPTIONS" });
		assert.deepEqual([status, headers.allow, text], [204, allow, ""]);
	}
	for (const path of ["/", "/v1", "/v1/history/", "/V1/history", "/v1/%68istory", "/favicon.ico"])
		assert.deepEqual((({ status, code }) => [status, code])(await ask(path)), [404, "not_found"], path);
});

test("what cannot be asked or published is a 4xx that says why", async () => {
	const json = { "content-type": "application/json" };
	const wrong = [
		[400, "bad_request", "/v1/state"],
		[400, "bad_request", "/v1/state?session=h1&at=yesterday"],
		[400, "bad_request", "/v1/history?limit=0"],
		[400, "bad_request", "/v1/history?limit=1&limit=2"],
		[400, "bad_request", "/v1/history?session=%zz"],
		[400, "bad_request", "/v1/history?session=%00"],
		[400, "bad_request", "/v1/sessions?limit=x"],
		[400, "bad_filter", "/v1/events?where=1"],
		[400, "bad_request", "/v1/events?since=yesterday"],
		[406, "not_acceptable", "/v1/events", { headers: { accept: "application/json" } }],
		[415, "unsupported_media_type", "/v1/publish", { method: "POST", body: "x", headers: { "content-type": "text/plain" } }],
		[415, "unsupported_media_type", "/v1/publish", { method: "POST", body: "x" }],
		[400, "bad_message", "/v1/publish", { method: "POST", body: "{", headers: json }],
		[400, "bad_request", "/v1/publish", { method: "POST", body: "{}", headers: json }],
		[400, "channel_not_served", "/v1/publish", { method: "POST", body: '{"channel":"cats:tom","data":1}', headers: json }],
		[413, "message_too_big", "/v1/publish", { method: "POST", body: `{"channel":"trace:s","data":"${"x".repeat(70000)}"}`, headers: json }],
		[426, "upgrade_required", "/v1/stream"],
		[431, "headers_too_large", "/v1/history", { headers: { "x-long": "x".repeat(20000) } }],
		[414, "target_too_long", `/v1/history?session=${"x".repeat(20000)}`],
	];
	for (const [status, code, target, options] of wrong) {
		const got = await ask(target, { dispatcher: new Agent({ maxHeaderSize: 65536 }), ...options });
		assert.deepEqual([got.status, got.code], [status, code], `${target.slice(0, 60)} ${got.text}`);
	}
});

test("pages of other origins get what cors.origins says, and their preflights are answered", async () => {
	for (const target of [...Object.keys(GETS), "/v1/state"]) {
		const { headers } = await ask(target, { headers: { origin: ALLOWED } });
		assert.equal(headers["access-control-allow-origin"], ALLOWED);
	}
	for (const origin of [`${ALLOWED}:8443`, "http://app.example.com", `${ALLOWED}.evil.io`, "https://evilapp.example.com", "null", `${ALLOWED}/`]) {
		const { status, code, headers } = await ask("/v1/sessions", { headers: { origin } });
		assert.deepEqual([status, code, headers["access-control-allow-origin"]], [403, "origin_not_allowed", undefined], origin);
	}
	const preflight = await ask("/v1/publish", {
		method: "OPTIONS",
		headers: { origin: ALLOWED, "access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type" },
	});
	assert.equal(preflight.status, 204);
	assert.equal(preflight.headers["access-control-allow-origin"], ALLOWED);
	assert.match(preflight.headers["access-control-allow-methods"], /\bPOST\b/);
	assert.match(preflight.headers["access-control-allow-headers"], /\bAuthorization\b.*\bContent-Type\b/);
});

test("the admin port answers in its schemas", async () => {
	for (const [target, schema] of [["/v1/node", "node"], ["/readyz", "ready"]]) {
		const answer = await fetch(`http://127.0.0.1:${admin}${target}`);
		assert.equal(answer.headers.get("content-type"), "application/json");
		check(`http.json#/$defs/${schema}`, await answer.json());
	}
	assert.equal((await fetch(`http://127.0.0.1:${admin}/metrics`, { method: "HEAD" })).status, 200);
	assert.equal((await fetch(`http://127.0.0.1:${admin}/metrics`, { method: "POST" })).status, 405);
	check("http.json#/$defs/error", await (await fetch(`http://127.0.0.1:${admin}/nothing`)).json());
});

/** An EventSource whose messages go into a queue. */
async function listen(address, options) {
	const queue = new Queue();
	const source = new EventSource(address, options);
	own(() => source.close());
	for (const type of ["message", "gap", "notice"]) {
		source.addEventListener(type, ({ data, lastEventId }) => {
			const value = JSON.parse(data);
			try {
				check(type === "message" ? "event.json" : `push.json#/$defs/${type}`, value);
				queue.put({ type, value, lastEventId });
			} catch (error) {
				queue.put(error);
			}
		});
	}
	source.addEventListener("error", () => queue.put({ type: "error" }));
	await within("the stream opens", new Promise((resolve) => source.addEventListener("open", resolve, { once: true })));
	return { source, queue };
}

test("an EventSource resumes behind its last event when its connection is cut, at another node too", async () => {
	const link = await Link.open(nodes[0].port);
	const { source, queue } = await listen(`http://127.0.0.1:${link.port}/v1/events?channels=trace:e1`);
	const take = async (from, to) => {
		for (let n = from; n <= to; n++) assert.equal((await queue.take(`event ${n}`, ({ type }) => type === "message")).value.data.n, n);
	};
	let n = 0;
	for (const target of [nodes[0].port, nodes[1].port, nodes[0].port]) {
		for (const end = n + 10; n < end; ) await redis.publish("trace:e1", `{"n":${++n}}`);
		await take(n - 9, n);
		link.target = target;
		link.cut();
		for (const end = n + 10; n < end; ) await redis.publish("trace:e1", `{"n":${++n}}`);
		await take(n - 9, n);
	}
	await pass(100);
	assert.deepEqual(queue.items.filter(({ type }) => type === "message"), []);
	source.close();
});

test("a stream begins where Last-Event-ID says, else lastEventId, else since", async () => {
	const { source, queue } = await listen(`${url}/v1/events?channels=trace:e2`);
	const ids = [];
	for (let n = 0; n < 4; n++) {
		await redis.publish("trace:e2", String(n));
		ids.push((await queue.take("an event")).lastEventId);
	}
	source.close();
	const first = async (query, header) => {
		const headers = header ? { "last-event-id": header } : {};
		const stream = await listen(`${url}/v1/events?channels=trace:e2${query}`, {
			fetch: (target, init) => globalThis.fetch(target, { ...init, headers: { ...init.headers, ...headers } }),
		});
		const { value } = await stream.queue.take("an event");
		stream.source.close();
		return value.data;
	};
	assert.equal(await first("&since=earliest"), 0);
	assert.equal(await first(`&since=earliest&lastEventId=${ids[0]}`), 1);
	assert.equal(await first(`&since=earliest&lastEventId=${ids[0]}`, ids[2]), 3);
});

test("comments keep a silent stream alive and move nothing", async () => {
	const abort = new AbortController();
	const { body, headers } = await fetch(`${url}/v1/events?channels=trace:silent`, { signal: abort.signal });
	assert.equal(headers.get("x-accel-buffering"), "no");
	assert.equal(headers.get("cache-control"), "no-store");
	let text = "";
	const reading = (async () => {
		for await (const part of body) {
			text += Buffer.from(part);
			if (/(^|\n):[^\n]*\n[\s\S]*\n:/.test(text)) break;
		}
	})();
	await within("two comments", reading);
	assert.match(text, /^retry: 2000\n/);
	assert.doesNotMatch(text, /^data/m);
	abort.abort();
});

test("streams that clients leave are let go", async () => {
	await until("no stream is left", async () => (await metric(nodes[0], "subscriptions")) === 0);
});
